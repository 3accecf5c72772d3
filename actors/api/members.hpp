#pragma once

#include "actors/core/cluster/members.hpp"

/// Who is in the cluster, for all who talk to actors.
namespace muster::api {

using cluster::member;
using cluster::member_list;
using cluster::member_list_ptr;
using cluster::member_state;

} // namespace muster::api
