#pragma once

#include <utility>

#include "actors/core/base/result.hpp"
#include "actors/core/naming/publication.hpp"

namespace muster::pb {
class DistroInstance;
class DistroName;
class DistroPublication;
class DistroService;
} // namespace muster::pb

/// Publications as they travel between nodes (proto/muster/peer.proto). Pure.
namespace muster::distro {

void to_wire(const naming::instance& in, pb::DistroInstance& out);
void to_wire(const naming::publication& in, pb::DistroPublication& out);
/// Names a publication, and which revision of it is known.
void to_wire(const naming::publication& in, pb::DistroName& out);
void to_wire(const service_key& in, pb::DistroService& out);

naming::instance_ptr from_wire(const pb::DistroInstance& in);
service_key from_wire(const pb::DistroService& in);
/// `invalid_argument` for one that no node makes.
result<naming::publication_ptr> from_wire(const pb::DistroPublication& in);

} // namespace muster::distro
