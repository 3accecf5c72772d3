#pragma once

#include "actors/api/messages.hpp"
#include "actors/core/watch/change_feed.hpp"
#include "muster/peer.pb.h"

/// What is read at another node, as it crosses (pb::PartitionAnswer). What comes
/// is another node's: it is as it was read there.
namespace muster::runtime {

void to_wire(const config_key& in, pb::ConfigName& out);
config_key from_wire(const pb::ConfigName& in);

/// Null is a config that does not exist.
void to_wire(const config_snapshot_ptr& in, pb::ConfigVersions& out);
config_snapshot_ptr from_wire(const config_key& key, pb::ConfigVersions in);

void to_wire(const api::config_names& in, pb::ConfigNames& out);
api::config_names from_wire(const pb::ConfigNames& in);

void to_wire(const api::config_counts& in, pb::ConfigCounts& out);
api::config_counts from_wire(const pb::ConfigCounts& in);

void to_wire(const watch::config_change& in, pb::FedChange& out);
watch::config_change from_wire(const pb::FedChange& in);

/// What is read of one partition's rows: everything but single configs and the
/// feed.
void read_rows(const state_reader& state, const pb::PartitionRead& what,
               pb::PartitionAnswer& out);

} // namespace muster::runtime
