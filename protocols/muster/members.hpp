#pragma once

#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "protocols/common/route.hpp"

/// The handlers of Muster's own API.
namespace muster::admin {

using boost::asio::awaitable;
using common::context;
using http::response;

awaitable<response> members_list(context& c);
awaitable<response> member_add(context& c);
awaitable<response> member_drain(context& c);
awaitable<response> member_remove(context& c);

/// The node at `host:port` (IPv6 in brackets), its other ports as far from its
/// main port as those of `like`. `invalid_argument` if that is no address.
result<api::member> member_at(std::string_view address,
                              const api::member& like);

/// `{"error":"<code>","message":"…"}`
response error_answer(unsigned status, std::string_view code,
                      std::string_view message);

} // namespace muster::admin
