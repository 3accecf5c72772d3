// The value of `Listening-Configs`: second decoding, items, and the answer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocols/common/params.hpp"
#include "protocols/nacos/codec/listening.hpp"
#include "protocols/nacos/codec/names.hpp"

using namespace muster;

/// What is read has to be within the text and survive a round trip: the answer
/// that names all items decodes to as many items.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view sent{reinterpret_cast<const char*>(data), size};
  const auto text = common::url_decode(sent);
  const auto items = nacos::parse_listening(text);
  if (!items)
    return 0;
  if (items->size() > nacos::listened_max)
    std::abort();
  for (const auto& item : *items) {
    nacos::checked_names names;
    names.data_id = item.data_id;
    names.group = item.group;
    names.space = item.tenant;
    static_cast<void>(nacos::check_names(names, {}));
  }
  const auto answer = common::url_decode(nacos::encode_changed(*items));
  std::size_t ends = 0;
  for (const char c : answer)
    ends += c == '\1' ? 1U : 0U;
  if (ends != items->size())
    std::abort();
  static_cast<void>(nacos::plain_changed(*items));
  return 0;
}
