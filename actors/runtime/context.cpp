#include "actors/runtime/context.hpp"

#include <algorithm>
#include <utility>

#include <caf/send.hpp>

namespace muster::runtime {

namespace {

key_view view_of(std::string_view space, std::string_view group) {
  return {space, group, {}};
}

template <class Map, class Handle>
void drop(std::shared_mutex& mutex, Map& map, const key_view& key,
          const Handle& actor) {
  const std::unique_lock lock(mutex);
  const auto found = map.find(key);
  if (found != map.end() && found->second == actor)
    map.erase(found);
}

template <class Map>
auto find(std::shared_mutex& mutex, const Map& map, const key_view& key) {
  const std::shared_lock lock(mutex);
  const auto found = map.find(key);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

template <class Map>
std::vector<caf::actor> all(std::shared_mutex& mutex, const Map& map) {
  const std::shared_lock lock(mutex);
  std::vector<caf::actor> found;
  for (const auto& [key, actor] : map)
    found.push_back(caf::actor_cast<caf::actor>(actor));
  return found;
}

} // namespace

// -- serving_clock ------------------------------------------------------------

serving_clock::serving_clock(const clock& time)
  : time_(time), asked_(time.steady()) {}

steady_time serving_clock::now() {
  const std::lock_guard lock(mutex_);
  return now_locked();
}

bool serving_clock::stood_still_lately() {
  const std::lock_guard lock(mutex_);
  const auto now = now_locked();
  return went_on_ && now - *went_on_ < still_remembered;
}

steady_time serving_clock::now_locked() {
  const auto now = time_.steady();
  const bool stood_still = now - asked_ >= stall_min;
  if (stood_still)
    lost_ += now - asked_;
  asked_ = std::max(asked_, now);
  if (stood_still)
    went_on_ = now - lost_;
  return now - lost_;
}

// -- event_directory ----------------------------------------------------------

api::config_group_actor event_directory::group(std::string_view space,
                                               std::string_view group) const {
  return find(mutex_, groups_, view_of(space, group));
}

caf::actor event_directory::space(std::string_view space) const {
  return find(mutex_, spaces_, view_of(space, {}));
}

std::vector<caf::actor> event_directory::groups_where(
    const std::function<bool(const key_view&)>& is_so) const {
  const std::shared_lock lock(mutex_);
  std::vector<caf::actor> found;
  for (const auto& [key, actor] : groups_)
    if (is_so(key.view()))
      found.push_back(caf::actor_cast<caf::actor>(actor));
  return found;
}

std::vector<caf::actor> event_directory::groups() const {
  return all(mutex_, groups_);
}

std::vector<caf::actor> event_directory::spaces() const {
  return all(mutex_, spaces_);
}

void event_directory::put_group(const std::string& space,
                                const std::string& group,
                                api::config_group_actor actor) {
  const std::unique_lock lock(mutex_);
  groups_.insert_or_assign(config_key{space, group, {}}, std::move(actor));
}

void event_directory::drop_group(std::string_view space,
                                 std::string_view group,
                                 const api::config_group_actor& actor) {
  drop(mutex_, groups_, view_of(space, group), actor);
}

void event_directory::put_space(const std::string& space, caf::actor actor) {
  const std::unique_lock lock(mutex_);
  spaces_.insert_or_assign(config_key{space, {}, {}}, std::move(actor));
}

void event_directory::drop_space(std::string_view space,
                                 const caf::actor& actor) {
  drop(mutex_, spaces_, view_of(space, {}), actor);
}

// -- route_event --------------------------------------------------------------

namespace {

void route(node_context& node, const model::event& event,
           const model::config_changed& change) {
  if (change.content_changed)
    if (const auto to = node.owners.group(change.key.space, change.key.group))
      caf::anon_send(to, event);
  if (change.created || change.removed)
    if (const auto to = node.owners.space(change.key.space))
      caf::anon_send(to, event);
}

void route(node_context& node, const model::event& event,
           const model::service_changed& change) {
  const auto slot = node.services.find(change.key.view());
  // Made through another node: this one has to show it, too.
  if (!slot) {
    if (const auto spaces = node.namespaces(); spaces && !change.removed)
      caf::anon_send(spaces, api::open_service{{}, change.key});
    return;
  }
  if (const auto to = slot->actor())
    caf::anon_send(to, event);
}

void route(node_context&, const model::event&,
           const model::namespace_changed&) {
  // Nobody keeps namespace records in memory.
}

} // namespace

void route_event(node_context& node, const model::event& event) {
  std::visit([&](const auto& what) { route(node, event, what); }, event.what);
}

} // namespace muster::runtime
