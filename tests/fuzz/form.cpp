// Query strings, urlencoded forms and paths as clients send them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/common/params.hpp"

using namespace muster::common;

/// Decoding never makes text longer; what is encoded decodes to itself; the
/// parameters agree with decoding each part alone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (url_decode(text).size() > size || path_decode(text).size() > size
      || url_decode(url_encode(text)) != text)
    std::abort();
  params p;
  if (!p.parse(text)) {
    if (params::count(text) <= params::count_max || !p.all().empty())
      std::abort();
    return 0;
  }
  std::size_t seen = 0;
  for (std::size_t begin = 0; begin < size;) {
    const auto end = std::min(text.find('&', begin), size);
    const auto pair = text.substr(begin, end - begin);
    begin = end + 1;
    if (pair.empty())
      continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto& [name, value] = p.all().at(seen++);
    if (name != url_decode(pair.substr(0, equals))
        || value != url_decode(pair.substr(std::min(equals + 1, pair.size()))))
      std::abort();
  }
  if (seen != p.all().size())
    std::abort();
  return 0;
}
