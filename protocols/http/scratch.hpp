#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/http/head_parser.hpp"

/// What a connection needs only while it has something to do.
namespace muster::http {

/// Bytes that came in and were not handled yet. Positions may move when room is
/// made; never while a request is being handled.
class in_buffer {
public:
  static constexpr std::size_t block_size = 8 << 10;

  in_buffer() { resize(block_size); }

  char* data() noexcept { return memory_.get() + begin_; }
  const char* data() const noexcept { return memory_.get() + begin_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }

  char* room() noexcept { return memory_.get() + end_; }
  std::size_t room_size() const noexcept { return capacity_ - end_; }
  void added(std::size_t n) noexcept { end_ += n; }
  void consume(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_)
      begin_ = end_ = 0;
  }
  /// Takes `n` bytes out behind the first `keep`.
  void cut(std::size_t keep, std::size_t n) noexcept;
  /// Makes sure that `total` bytes from `data()` on fit.
  void reserve(std::size_t total);
  /// Gives back all memory beyond the bytes held.
  void shrink() { resize(size()); }
  std::size_t capacity() const noexcept { return capacity_; }

private:
  void resize(std::size_t capacity);

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

/// The working memory of one connection. Taken from its thread's pool when
/// bytes come, given back when the connection is idle.
struct scratch {
  in_buffer in;
  std::string out;
  std::string body; ///< of a chunked request
  std::string path; ///< decoded, where it had to be
  raw_head head;
  std::optional<head_parser> parser;
  http::request request;

  /// Ready for the next request; input and output stay.
  void next_request();
};

/// Spare scratches of one thread.
class scratch_pool {
public:
  std::unique_ptr<scratch> take();
  /// Keeps it if it is of the usual size and there are not enough yet.
  void give(std::unique_ptr<scratch> s);

private:
  static constexpr std::size_t spare_max = 64;
  std::vector<std::unique_ptr<scratch>> spare_;
};

} // namespace muster::http
