#include "protocols/common/json.hpp"

#include <new>
#include <utility>

#include <boost/json/memory_resource.hpp>
#include <boost/json/parser.hpp>

namespace muster::common {

namespace {

/// Heap memory up to a bound; beyond it the parse ends with bad_alloc.
class bounded_memory final : public boost::json::memory_resource {
public:
  explicit bounded_memory(std::size_t max) : left_(max) {}

private:
  void* do_allocate(std::size_t bytes, std::size_t) override {
    if (bytes > left_)
      throw std::bad_alloc();
    left_ -= bytes;
    return ::operator new(bytes);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t) override {
    left_ += bytes;
    ::operator delete(p);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t left_;
};

} // namespace

result<boost::json::value> parse_json(std::string_view text,
                                      const json_limits& limits) {
  if (text.size() > limits.text_bytes_max)
    return fail(errc::invalid_argument, "JSON text is too long");
  boost::json::parse_options options;
  options.max_depth = limits.depth_max;
  try {
    boost::system::error_code ec;
    // The same bound for the value and for what the parser keeps meanwhile.
    const auto memory = boost::json::make_shared_resource<bounded_memory>(
        limits.memory_bytes_max);
    boost::json::parser parser(memory, options);
    parser.reset(memory);
    parser.write(text.data(), text.size(), ec);
    if (ec)
      return fail(errc::invalid_argument, "not valid JSON: " + ec.message());
    return parser.release();
  } catch (const std::exception&) {
    // bad_alloc of the bound, length_error of a container.
    return fail(errc::invalid_argument, "JSON holds too many values");
  }
}

} // namespace muster::common
