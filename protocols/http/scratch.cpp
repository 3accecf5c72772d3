#include "protocols/http/scratch.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace muster::http {

void in_buffer::cut(std::size_t keep, std::size_t n) noexcept {
  char* at = data() + keep;
  std::memmove(at, at + n, size() - keep - n);
  end_ -= n;
}

void in_buffer::reserve(std::size_t total) {
  if (begin_ + total <= capacity_)
    return;
  if (total <= capacity_) {
    std::memmove(memory_.get(), data(), size());
    end_ = size();
    begin_ = 0;
    return;
  }
  resize(std::max(total, std::min(2 * capacity_, total + block_size)));
}

void in_buffer::resize(std::size_t capacity) {
  // Pages of a large buffer are touched only as bytes come.
  auto memory = std::make_unique_for_overwrite<char[]>(capacity);
  const auto held = size();
  if (held != 0)
    std::memcpy(memory.get(), data(), held);
  memory_ = std::move(memory);
  capacity_ = capacity;
  begin_ = 0;
  end_ = held;
}

void scratch::next_request() {
  request.reset();
  head.reset();
  body.clear();
  path.clear();
  parser.reset();
}

std::unique_ptr<scratch> scratch_pool::take() {
  if (spare_.empty())
    return std::make_unique<scratch>();
  auto s = std::move(spare_.back());
  spare_.pop_back();
  return s;
}

void scratch_pool::give(std::unique_ptr<scratch> s) {
  static constexpr std::size_t usual = 64 << 10;
  if (spare_.size() >= spare_max || s->in.capacity() != in_buffer::block_size
      || s->out.capacity() > usual || s->body.capacity() > usual)
    return;
  s->next_request();
  s->out.clear();
  spare_.push_back(std::move(s));
}

} // namespace muster::http
