#pragma once

namespace muster::cluster {

/// What a certificate must bear, as a URI among its alternative names, to speak
/// as a node: the same CA may also sign for clients, and those are no nodes.
inline constexpr const char* node_role = "urn:muster:node";

} // namespace muster::cluster
