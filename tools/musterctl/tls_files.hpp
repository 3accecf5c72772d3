#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"

/// The files of a cluster's own CA: ca.crt, ca.key, and NODE.crt and NODE.key
/// for each node.
namespace muster::ctl {

struct tls_request {
  std::filesystem::path directory;
  /// Host names or IP addresses, as the list of members has them.
  std::vector<std::string> nodes;
  /// Of the nodes' certificates; a new CA holds ten years, or as long.
  std::uint32_t days = 825;
};

/// Makes the directory (mode 0700) and the CA if they are not there, then a
/// certificate and a key (mode 0600) for each node. What is there is never
/// overwritten: a CA is used again, a node that has files already is
/// `already_exists`, and then nothing is made. -> what was made, for people
result<std::string> make_tls_files(const tls_request& wanted, wall_time now);

} // namespace muster::ctl
