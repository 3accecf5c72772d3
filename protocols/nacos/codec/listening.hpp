#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/result.hpp"

/// The body language of v1 long polling (nacos-http 2.3): words between bytes
/// 0x01 and 0x02. Pure, any thread.
namespace muster::nacos {

inline constexpr std::size_t listened_max = 10'000;

/// One config that a client watches.
struct listened {
  std::string_view data_id;
  std::string_view group;
  std::string_view md5;
  /// As sent; blank or absent = `public`.
  std::string_view tenant;
};

/// Reads `Listening-Configs` after its second decoding: `dataId \2 group \2 md5
/// [\2 tenant] \1`, repeated; what stands behind the last \1 is dropped. Of a
/// config that is named twice the last one counts. The views are into `text`.
/// `invalid_argument` if it is blank, has more than `listened_max` items or an
/// item of other than 3 or 4 words.
result<std::vector<listened>> parse_listening(std::string_view text);

/// `dataId \2 group [\2 tenant] \1` of each, URL-encoded, without the line end;
/// the tenant only if the client sent one that is not blank.
std::string encode_changed(std::span<const listened> changed);

/// `dataId:group;` of each, for clients of the oldest kind.
std::string plain_changed(std::span<const listened> changed);

} // namespace muster::nacos
