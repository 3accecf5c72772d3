#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/core/cluster/members.hpp"

/// Who is in the cluster, for all who talk to actors.
namespace muster::api {

using cluster::member;
using cluster::member_list;
using cluster::member_list_ptr;
using cluster::member_state;

/// To those who follow the members: something changed.
struct members_changed {
  member_list_ptr now;
};

} // namespace muster::api

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(::muster::api::members_changed)
