#pragma once

#include "actors/core/naming/view.hpp"
#include "muster/command.pb.h"

/// Parts of the commands that change services. Pure, any thread.
namespace muster::nacos {

void set_key(pb::ServiceKey& out, const service_key& key);

/// A persistent instance as it is stored.
void fill_record(pb::InstanceRecord& out, const naming::instance& in);

} // namespace muster::nacos
