#include "actors/node/address_server.hpp"

#include <chrono>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include "protocols/http_client/fetch.hpp"

namespace muster {

namespace {

constexpr http_client::bounds one_try{.at_most = milliseconds{3'000},
                                      .body_bytes_max = 256U << 10};
constexpr auto pause_between = std::chrono::seconds(1);
constexpr unsigned http_ok = 200;

result<std::vector<member_address>> ask_once(const settings& s) {
  const auto got =
      http_client::fetch({.host = s.cluster.address_server_domain,
                          .port = s.cluster.address_server_port,
                          .target = s.cluster.address_server_url.empty()
                                        ? "/"
                                        : s.cluster.address_server_url},
                         one_try);
  if (!got)
    return std::unexpected(got.error());
  if (got->status != http_ok)
    return fail(errc::unavailable,
                "it answered with status " + std::to_string(got->status));
  auto list = parse_member_list(got->body);
  if (!list)
    return fail(errc::invalid_argument, "in its list " + list.error().message);
  if (list->empty())
    return fail(errc::failed_precondition, "its list names nobody");
  return list;
}

void pause() {
  boost::asio::io_context io;
  boost::asio::steady_timer timer(io, pause_between);
  timer.wait();
}

} // namespace

result<std::optional<std::vector<member_address>>>
address_server_members(const settings& s) {
  const auto whom = "http://" + s.cluster.address_server_domain + ':'
                    + std::to_string(s.cluster.address_server_port)
                    + s.cluster.address_server_url;
  for (std::uint32_t number = 1;; ++number) {
    auto list = ask_once(s);
    if (list)
      return std::optional{std::move(*list)};
    const auto& why = list.error().message;
    if (number >= s.cluster.address_server_tries)
      return fail(errc::unavailable,
                  "the list of members cannot be had of the address server "
                      + whom + " (core.member.lookup.type=address-server, "
                      + "address.server.domain, .port, .url): " + why);
    spdlog::warn("address server {}: {}; try {} of {}", whom, why, number,
                 s.cluster.address_server_tries);
    pause();
  }
}

} // namespace muster
