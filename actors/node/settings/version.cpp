#include "actors/node/settings/version.hpp"

#include "muster_version.inc"

namespace muster {

std::string_view version() { return MUSTER_VERSION; }

std::string_view version_text() {
  return "musterd " MUSTER_VERSION " (" MUSTER_COMMIT ")";
}

} // namespace muster
