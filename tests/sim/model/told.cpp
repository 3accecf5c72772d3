#include "tests/sim/model/told.hpp"

#include <variant>

#include "actors/core/model/queries.hpp"
#include "actors/core/model/tables.hpp"
#include "tests/sim/model/commands.hpp"

namespace muster::sim {

namespace {

constexpr std::size_t rows_max = 1'000'000;

void tell_snapshot(const config_snapshot& s, lines& out) {
  const auto& [space, group, id] = s.key;
  out.insert(line("shown", space, group, id, s.revision));
  if (const auto* f = s.formal.get())
    out.insert(line("formal", space, group, id, f->id, f->content, f->md5,
                    f->type, f->app_name, f->encrypted_data_key,
                    f->modify_time_ms));
  std::size_t nth = 0;
  for (const auto& g : s.grays) {
    const auto& b = g->body;
    out.insert(line("gray", space, group, id, nth++, g->name, g->rule_type,
                    g->expression, g->priority, b.id, b.content, b.md5, b.type,
                    b.app_name, b.encrypted_data_key, b.modify_time_ms));
  }
}

void tell_config(const state_reader& state, const config_key& key, lines& out) {
  const auto& [space, group, id] = key;
  if (const auto snapshot = model::load_config(state, key))
    tell_snapshot(*snapshot, out);
  if (const auto r = model::config_table::get(state, model::key_of(key))) {
    out.insert(line("record", space, group, id, r->tags(), r->description(),
                    r->usage(), r->effect(), r->schema(), r->user(),
                    r->source_ip(), r->create_time_ms(), r->gray_count()));
    const auto by_id =
        state.get(table_id::config_by_id, key_codec::encode(r->id()));
    out.insert(line("by id", r->id(), by_id == model::key_of(key)));
  }
  for (const auto& h : model::history(state, key, 0, rows_max))
    out.insert(line("history", space, group, id, h.nid(), h.op(),
                    h.publish_type(), h.gray_name(), h.content(), h.md5(),
                    h.type(), h.app_name(), h.encrypted_data_key(), h.tags(),
                    h.description(), h.usage(), h.effect(), h.schema(),
                    h.user(), h.source_ip(), h.create_time_ms(),
                    h.change_time_ms(), h.gray_rule()));
}

void tell_service(const state_reader& state, const service_key& key,
                  lines& out) {
  const auto& [space, group, name] = key;
  if (const auto r = model::service(state, key))
    out.insert(line("service", space, group, name, r->ephemeral(), r->by_hand(),
                    r->protect_threshold(), r->selector(),
                    told_map(r->metadata()), told_clusters(*r), r->revision()));
  for (const auto& i : model::instances(state, key))
    out.insert(line("instance", space, group, name, i.ip(), i.port(),
                    i.cluster(), i.weight(), i.healthy(), i.enabled(),
                    i.instance_id(), i.app(), told_map(i.metadata()),
                    i.revision()));
  for (const auto& o : model::overrides(state, key)) {
    const auto& v = o.values;
    out.insert(line("override", space, group, name, o.ip, o.port, o.cluster,
                    v.has_weight() ? told(v.weight()) : "",
                    v.has_enabled() ? told(v.enabled()) : "",
                    told_map(v.metadata()), v.revision()));
  }
}

std::size_t rows_of(const state_reader& state, table_id table) {
  std::size_t rows = 0;
  state.scan(table, {}, [&rows](std::string_view, std::string_view) {
    ++rows;
    return true;
  });
  return rows;
}

std::string tell(const model::config_changed& c) {
  std::string now = "gone";
  if (c.now) {
    lines shown;
    tell_snapshot(*c.now, shown);
    now.clear();
    for (const auto& each : shown)
      now += each;
  }
  return line("config changed", c.key.space, c.key.group, c.key.data_id,
              c.content_changed, c.created, c.removed, now);
}

std::string tell(const model::namespace_changed& c) {
  return line("namespace changed", c.id, c.removed);
}

std::string tell(const model::service_changed& c) {
  return line("service changed", c.key.space, c.key.group, c.key.service,
              c.removed);
}

} // namespace

std::string told_clusters(const pb::ServiceRecord& record) {
  lines all;
  for (const auto& [name, c] : record.clusters())
    all.insert(line(name, c.health_checker(), c.check_port(),
                    c.use_instance_port(), told_map(c.metadata())));
  std::string out;
  for (const auto& each : all)
    out += each;
  return out;
}

lines tell_state(const state_reader& state) {
  lines out;
  const model_names known;
  for (const auto& space : known.spaces)
    for (const auto& group : known.groups)
      for (const auto& name : known.names) {
        tell_config(state, {space, group, name}, out);
        tell_service(state, {space, group, name}, out);
      }
  for (const auto& [space, count] : model::config_counts(state))
    out.insert(line("count", space, count));
  for (const auto& space : known.spaces)
    for (const auto& key : model::config_names(state, space))
      out.insert(line("name", key.space, key.group, key.data_id));
  for (const auto& key : model::stored_services(state, ""))
    out.insert(line("stored", key.space, key.group, key.service));
  for (const auto& [id, r] : model::namespaces(state))
    out.insert(line("namespace", id, r.name(), r.description(),
                    r.create_time_ms(), r.revision()));
  if (const auto cluster = model::membership(state)) {
    std::size_t nth = 0;
    std::string founders;
    for (const auto node : cluster->founders())
      founders += std::to_string(node) + ",";
    out.insert(line("cluster", cluster->id(), cluster->version(), founders));
    for (const auto& m : cluster->members())
      out.insert(line("member", nth++, m.node(), m.incarnation(),
                      m.address().host(), m.founder(),
                      static_cast<int>(m.state())));
  }
  // What no name shows must not be there either.
  out.insert(line("rows", rows_of(state, table_id::history),
                  rows_of(state, table_id::history_by_time),
                  rows_of(state, table_id::gray),
                  rows_of(state, table_id::config_by_id),
                  rows_of(state, table_id::instance),
                  rows_of(state, table_id::instance_override)));
  return out;
}

std::string tell_applied(const model::applied& done) {
  const auto& r = done.result;
  auto out = line("outcome", static_cast<int>(r.code), r.message.empty(),
                  r.index.value, r.id, r.existed);
  for (const auto& e : done.events)
    out +=
        line("event", e.partition.value, e.index.value,
             std::visit([](const auto& what) { return tell(what); }, e.what));
  return out;
}

std::string first_difference(const lines& expected, const lines& found) {
  if (expected == found)
    return {};
  for (const auto& each : expected)
    if (found.count(each) != expected.count(each))
      return "expected " + each;
  for (const auto& each : found)
    if (found.count(each) != expected.count(each))
      return "found " + each;
  return {};
}

} // namespace muster::sim
