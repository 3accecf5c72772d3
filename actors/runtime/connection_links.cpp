#include "actors/runtime/connection.hpp"

/// How a connection finds the actors it leans on, and what it tells the
/// successor of one that died.
namespace muster::runtime {

namespace {

const error root_gone{errc::unavailable, "the namespaces actor is restarting"};

/// Of no watch.
constexpr std::uint64_t unused_token = 1;

} // namespace

// -- services -----------------------------------------------------------------

connection::service_links::hooks connection::service_hooks() {
  const auto open = [this](const service_key& key) {
    if (const auto slot = node_.services.find(key.view()))
      if (const auto actor = slot->actor()) {
        service_links_.opened(key, actor);
        return;
      }
    const auto root = node_.namespaces();
    if (!root) {
      service_links_.failed(key, root_gone);
      return;
    }
    self_->request(root, rules_.request_timeout, api::open_service{{}, key})
      .then(
        [this, key](const api::service_opened& o) {
          service_links_.opened(key, o.slot->actor());
        },
        [this, key](const caf::error& e) {
          service_links_.failed(key, api::from_caf(e));
        });
  };
  return {.open = open,
          .wanted =
            [this](const service_key& key) {
              const auto found = services_.find(key);
              return found != services_.end() && found->second.needed();
            },
          .redo =
            [this](const service_key& key, const api::service_actor& actor) {
              redo_service(key, actor);
            },
          .later =
            [this](const service_key& key, milliseconds wait) {
              self_->delayed_send(self_, wait, retry_link{key, {}, {}});
            },
          .now = [this] { return now(); }};
}

void connection::redo_service(const service_key& key,
                              const api::service_actor& actor) {
  const auto& use = services_[key];
  const auto again = [this, key](const caf::error& e) {
    const auto why = api::from_caf(e);
    spdlog::warn("connection {}: {}@@{} does not take over: {}", id_, key.group,
                 key.service, why.message);
    service_links_.redo_failed(key);
  };
  // What it refuses comes back as `publish_refused`.
  if (!use.instances.empty())
    caf::anon_send(
      actor, api::publish_instances{{}, id_, me().target, use.instances});
  if (use.subscribed)
    self_->request(actor, rules_.request_timeout, api::watch_service{me()})
      .then(
        [this, key](const naming::service_view_ptr& view) {
          service_seen(key, view);
        },
        again);
}

void connection::tidy_service(const service_key& key) {
  const auto found = services_.find(key);
  if (found == services_.end() || found->second.needed())
    return;
  services_.erase(found);
  service_links_.tidy(key);
}

// -- config groups ------------------------------------------------------------

connection::group_links::hooks connection::group_hooks() {
  const auto open = [this](const config_key& group) {
    const auto root = node_.namespaces();
    if (!root) {
      group_links_.failed(group, root_gone);
      return;
    }
    self_
      ->request(root, rules_.request_timeout,
                api::open_config_group{{}, group.space, group.group})
      .then(
        [this, group](const api::config_group_actor& actor) {
          group_links_.opened(group, actor);
        },
        [this, group](const caf::error& e) {
          group_links_.failed(group, api::from_caf(e));
        });
  };
  return {.open = open,
          .wanted =
            [this](const config_key& group) {
              const auto found = groups_.find(group);
              return found != groups_.end() && found->second.needed();
            },
          .redo =
            [this](const config_key& group,
                   const api::config_group_actor& actor) {
              redo_group(group, actor);
            },
          .later =
            [this](const config_key& group, milliseconds wait) {
              self_->delayed_send(self_, wait, retry_link{{}, group, {}});
            },
          .now = [this] { return now(); }};
}

/// What changed while nobody told us is not known: every name is pushed, and the
/// client compares.
void connection::redo_group(const config_key& group,
                            const api::config_group_actor& actor) {
  const auto& ids = groups_[group].data_ids;
  if (ids.empty())
    return;
  self_
    ->request(actor, rules_.request_timeout,
              api::watch_configs{me(), {ids.begin(), ids.end()}})
    .then(
      [this, group](const api::done&) {
        for (const auto& id : groups_[group].data_ids)
          push_config({group.space, group.group, id});
      },
      [this, group](const caf::error&) { group_links_.redo_failed(group); });
}

void connection::tidy_group(const config_key& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end() || found->second.needed())
    return;
  groups_.erase(found);
  group_links_.tidy(group);
}

// -- namespaces ---------------------------------------------------------------

connection::space_links::hooks connection::space_hooks() {
  const auto open = [this](const std::string& space) {
    const auto root = node_.namespaces();
    if (!root) {
      space_links_.failed(space, root_gone);
      return;
    }
    // A request without an effect, which makes the namespace's actor exist.
    self_
      ->request(root, rules_.request_timeout,
                api::unwatch_names{{me().target, unused_token}, {}, space})
      .then(
        [this, space](const api::done&) {
          space_links_.opened(space, node_.owners.space(space));
        },
        [this, space](const caf::error& e) {
          space_links_.failed(space, api::from_caf(e));
        });
  };
  return {.open = open,
          .wanted =
            [this](const std::string& space) {
              return watches_any(api::name_kind::config, space)
                     || watches_any(api::name_kind::service, space);
            },
          .redo =
            [this](const std::string& space, const caf::actor& actor) {
              redo_space(space, actor);
            },
          .later =
            [this](const std::string& space, milliseconds wait) {
              self_->delayed_send(self_, wait, retry_link{{}, {}, space});
            },
          .now = [this] { return now(); }};
}

/// What came and went meanwhile is not known here; clients synchronise their
/// fuzzy watches anew every few minutes.
void connection::redo_space(const std::string& space, const caf::actor& actor) {
  for (const auto kind : {api::name_kind::config, api::name_kind::service})
    if (watches_any(kind, space))
      self_
        ->request(actor, rules_.request_timeout,
                  api::watch_names{me(), kind, space})
        .then([](const api::done&) {},
              [this, space](const caf::error&) {
                space_links_.redo_failed(space);
              });
}

// -- all ----------------------------------------------------------------------

void connection::retry(const retry_link& m) {
  if (m.service)
    service_links_.retry(*m.service);
  if (m.group)
    group_links_.retry(*m.group);
  if (m.space)
    space_links_.retry(*m.space);
}

void connection::on_down(const caf::down_msg& m) {
  if (!service_links_.on_down(m.source) && !group_links_.on_down(m.source))
    space_links_.on_down(m.source);
}

} // namespace muster::runtime
