#pragma once

#include "protocols/nacos/grpc/message_table.hpp"

/// The handlers that the message table names. Each decodes, asks the node once
/// or twice, and answers.
namespace muster::nacos::remote {

using boost::asio::awaitable;

std::optional<reply> check_health(request& r);

// -- config (nacos-grpc 6) ------------------------------------------------------
/// From memory, if this node has the config there.
std::optional<reply> query_config_quickly(request& r);
awaitable<reply> query_config(request& r);
awaitable<reply> publish_config(request& r);
awaitable<reply> remove_config(request& r);
awaitable<reply> listen_configs(request& r);

// -- naming (nacos-grpc 7) ------------------------------------------------------
awaitable<reply> change_instance(request& r);
awaitable<reply> register_batch(request& r);
awaitable<reply> change_persistent_instance(request& r);
std::optional<reply> query_service(request& r);
awaitable<reply> subscribe_service(request& r);
awaitable<reply> list_service_names(request& r);

// -- fuzzy watches (6.9, 7.8) ---------------------------------------------------
awaitable<reply> watch_config_names(request& r);
awaitable<reply> watch_service_names(request& r);

} // namespace muster::nacos::remote
