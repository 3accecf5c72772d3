#include "actors/node/settings/member_list.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/node/settings/values.hpp"

namespace muster {
namespace {

constexpr std::uint16_t usual_port = 8848;

/// Addresses that name this host, as numbers.
std::set<std::string> own_addresses() {
  std::set<std::string> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0)
    return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, freeifaddrs);
  for (const auto* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr)
      continue;
    char host[NI_MAXHOST];
    const auto family = each->ifa_addr->sa_family;
    const auto size = family == AF_INET    ? sizeof(sockaddr_in)
                      : family == AF_INET6 ? sizeof(sockaddr_in6)
                                           : 0;
    if (size != 0
        && getnameinfo(each->ifa_addr, static_cast<socklen_t>(size), host,
                       sizeof host, nullptr, 0, NI_NUMERICHOST)
               == 0)
      out.emplace(host);
  }
  return out;
}

/// What a host name stands for, as numbers; empty if that is not known.
std::set<std::string> addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* all = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &all) != 0)
    return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(all, freeaddrinfo);
  std::set<std::string> out;
  for (const auto* each = all; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr,
                    0, NI_NUMERICHOST)
        == 0)
      out.emplace(text);
  }
  return out;
}

bool listens_on_all(const std::string& address) {
  return address == "0.0.0.0" || address == "::";
}

bool is_own_host(const std::string& host, const settings& s,
                 const std::set<std::string>& own) {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) == 0 && values::lower(name) == host)
    return true;
  const auto named = addresses_of(host);
  if (!listens_on_all(s.server.address))
    return named.contains(s.server.address);
  return std::ranges::any_of(named,
                             [&](const auto& a) { return own.contains(a); });
}

} // namespace

result<std::vector<member_address>> parse_member_list(std::string_view text) {
  std::vector<member_address> out;
  for (auto line : values::split(text, '\n')) {
    line = line.substr(0, line.find('#'));
    std::string entries(line);
    for (const char blank : {' ', '\t', '\r', ';'})
      std::ranges::replace(entries, blank, ',');
    for (const auto each : values::split(entries, ',')) {
      if (each.empty())
        continue;
      auto parsed = parse_host_port(each.substr(0, each.find('?')), usual_port);
      if (!parsed)
        return fail(errc::invalid_argument,
                    "'" + std::string(each) + "' is not host or host:port");
      if (std::ranges::find(out, *parsed) != out.end())
        return fail(errc::invalid_argument,
                    "'" + std::string(each) + "' is there twice");
      out.push_back(std::move(*parsed));
    }
  }
  return out;
}

result<std::optional<std::vector<member_address>>>
configured_members(const settings& s) {
  using list = std::optional<std::vector<member_address>>;
  if (s.server.standalone.value_or(false) || s.cluster.lookup == "standalone"
      || asks_address_server(s))
    return list{};
  const auto checked = [](std::string_view text,
                          const std::string& place) -> result<list> {
    auto parsed = parse_member_list(text);
    if (!parsed)
      return fail(errc::invalid_argument,
                  place + ": " + parsed.error().message);
    return parsed->empty() ? list{} : list{std::move(*parsed)};
  };
  if (!s.cluster.member_list.empty())
    return checked(s.cluster.member_list, "member.list");
  std::error_code failed;
  if (!std::filesystem::is_regular_file(s.cluster.members_file, failed))
    return list{};
  std::ifstream in(s.cluster.members_file);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad())
    return fail(errc::invalid_argument,
                s.cluster.members_file + ": cannot be read");
  return checked(text, s.cluster.members_file);
}

bool asks_address_server(const settings& s) {
  return s.cluster.lookup == "address-server"
         && !s.server.standalone.value_or(false);
}

result<member_address> own_member(const std::vector<member_address>& list,
                                  const settings& s) {
  std::vector<member_address> fitting;
  const auto own = own_addresses();
  for (const auto& each : list)
    if (each.port == s.server.port
        && (s.server.ip.empty()
                ? is_own_host(each.host, s, own)
                : each.host == s.server.ip
                      || addresses_of(each.host).contains(s.server.ip)))
      fitting.push_back(each);
  if (fitting.size() == 1)
    return fitting.front();
  const auto wanted = (s.server.ip.empty() ? s.server.address : s.server.ip)
                      + ":" + std::to_string(s.server.port);
  return fail(errc::failed_precondition,
              fitting.empty()
                  ? "this node (" + wanted
                        + ") is not in the list of members; set server.ip to "
                          "the address by which the list names it"
                  : "more than one entry of the list of members names this "
                    "node ("
                        + wanted + "); set server.ip");
}

bool exposes_cluster_port(const settings& s) {
  const auto& address = s.server.address;
  const bool loopback = address.starts_with("127.") || address == "::1";
  return !loopback && !s.cluster.plaintext && !s.cluster.has_tls();
}

} // namespace muster
