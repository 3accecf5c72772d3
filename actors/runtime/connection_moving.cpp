#include "actors/runtime/connection.hpp"

#include <algorithm>

#include <caf/send.hpp>

#include "actors/runtime/distro.hpp"

/// A client that was asked to move connects to another node first, then ends
/// its stream, and publishes there at last (nacos-grpc 3.8, 3.9). One whose node
/// stops, or stood still, is at another one before that can be known here. So
/// that nobody sees its instances go and come, this connection outlives its
/// stream until they are published elsewhere.
namespace muster::runtime {

namespace {

bool same_place(const naming::hosted_instance& a,
                const naming::hosted_instance& b) {
  return a.registered->ip == b.registered->ip
         && a.registered->port == b.registered->port
         && a.registered->cluster == b.registered->cluster;
}

/// Whether `client` has instances there, and others publish all of them too.
bool is_doubled(const naming::service_view& view, std::string_view client) {
  bool any = false;
  // Sorted by place: others of the same place are neighbours.
  for (std::size_t i = 0; i < view.hosts.size(); ++i) {
    const auto& host = *view.hosts[i];
    if (host.client_id != client)
      continue;
    any = true;
    const bool before = i > 0 && same_place(host, *view.hosts[i - 1]);
    const bool behind =
        i + 1 < view.hosts.size() && same_place(host, *view.hosts[i + 1]);
    if (!before && !behind)
      return false;
  }
  return any;
}

} // namespace

bool connection::may_be_elsewhere() const {
  return now() < moving_until_
         || (node_.distro
             && (node_.distro->draining || node_.serving.stood_still_lately()));
}

bool connection::outlive_stream() {
  if (outlived_)
    return true;
  std::vector<service_key> kept;
  for (auto& [key, use] : services_) {
    use.view = nullptr;
    use.subscribed = !use.instances.empty();
    if (use.subscribed)
      kept.push_back(key);
  }
  if (!may_be_elsewhere() || kept.empty())
    return false;
  outlived_ = true;
  self_->delayed_send(self_, moved_kept,
                      connection_tick{++tick_generation_});
  for (const auto& key : kept)
    service_links_.with(
        key,
        [this](const api::service_actor& actor) {
          self_
              ->request(actor, rules_.request_timeout, api::watch_service{me()})
              .then(
                  [this](const naming::service_view_ptr& view) {
                    seen_elsewhere(*view);
                  },
                  [](const caf::error&) {});
        },
        // Then the time that was set ends this.
        [](const error&) {});
  return true;
}

void connection::seen_elsewhere(const naming::service_view& view) {
  const auto found = services_.find(view.key);
  if (found == services_.end() || found->second.instances.empty()
      || !is_doubled(view, id_))
    return;
  found->second.instances.clear();
  found->second.subscribed = false;
  service_links_.with(
      view.key,
      [this](const api::service_actor& actor) {
        caf::anon_send(actor, api::retract_instances{{}, id_});
        caf::anon_send(actor, api::unwatch_service{me()});
      },
      [](const error&) {});
  tidy_service(view.key);
  if (std::ranges::none_of(services_, [](const auto& each) {
        return !each.second.instances.empty();
      }))
    self_->quit();
}

} // namespace muster::runtime
