#pragma once

#include <cstddef>
#include <cstdint>

namespace muster::nacos {

/// What an operator may set about what clients send. The same for both doors,
/// fixed while the node runs. Defaults are Nacos'. (nacos-http 1.8, 11;
/// nacos-grpc B, C)
struct request_rules {
  /// Names, addresses and metadata are checked before a handler runs
  /// (`core.param.check.enabled`). What handlers check themselves stays.
  bool check_parameters = true;
  /// Sum of the lengths of keys and values of one instance's metadata; part of
  /// that check (`naming.service.metadata.length`).
  std::size_t metadata_length_max = 1'024;
  /// Characters of a config's content, as Java counts them (`maxContent`).
  std::size_t content_length_max = 10'485'760;
  /// Gray versions that one config has (`config.gray.version.max.count`).
  std::uint32_t grays_max = 10;
};

} // namespace muster::nacos
