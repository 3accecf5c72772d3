#include "tests/sim/model/oracle.hpp"

#include <algorithm>

namespace muster::sim {

namespace {

using three_texts = std::tuple<std::string, std::string, std::string>;

three_texts name_of(const pb::ConfigKey& k) {
  return {k.namespace_id(), k.group(), k.data_id()};
}
three_texts name_of(const pb::ServiceKey& k) {
  return {k.namespace_id(), k.group(), k.service()};
}

/// A line about a name.
template <class... Parts>
std::string named(const char* what, const three_texts& of,
                  const Parts&... parts) {
  return line(what, std::get<0>(of), std::get<1>(of), std::get<2>(of),
              parts...);
}

std::string rule_of(const pb::GrayPublish& g) {
  return R"({"type":")" + g.rule_type() + R"(","version":")" + g.rule_version()
         + R"(","expr":")" + g.expression() + R"(","priority":)"
         + std::to_string(g.priority()) + "}";
}

} // namespace

oracle::verdict oracle::apply(const pb::Command& c, log_index index) {
  const auto by = std::pair{c.client(), c.sequence()};
  if (c.sequence() != 0 && done_.contains(by))
    return done_.at(by);
  index_ = index.value;
  time_ = c.time_ms();
  const auto r = carry_out(c);
  verdict v{line("outcome", static_cast<int>(r.code), r.code == errc::ok,
                 index_, r.id, r.existed),
            r.code != errc::ok};
  if (c.sequence() != 0)
    done_[by] = v;
  if (!r.event.empty())
    v.told += line("event", partition_.value, index_, r.event);
  return v;
}

oracle::result oracle::carry_out(const pb::Command& c) {
  switch (c.body_case()) {
  case pb::Command::kConfigPublish:
    return on(c.config_publish());
  case pb::Command::kConfigRemove:
    return on(c.config_remove());
  case pb::Command::kGrayPublish:
    return on(c.gray_publish());
  case pb::Command::kGrayRemove:
    return on(c.gray_remove());
  case pb::Command::kHistoryTrim:
    return on(c.history_trim());
  case pb::Command::kNamespacePut:
    return on(c.namespace_put());
  case pb::Command::kNamespaceRemove:
    return on(c.namespace_remove());
  case pb::Command::kServicePut:
    return on(c.service_put());
  case pb::Command::kServiceRemove:
    return on(c.service_remove());
  case pb::Command::kInstancePut:
    return on(c.instance_put());
  case pb::Command::kInstanceRemove:
    return on(c.instance_remove());
  case pb::Command::kOverridePut:
    return on(c.override_put());
  case pb::Command::kOverrideRemove:
    return on(c.override_remove());
  case pb::Command::kEnterCluster:
    return on(c.enter_cluster());
  case pb::Command::kMemberAdd:
    return on(c.member_add());
  case pb::Command::kMemberChange:
    return on(c.member_change());
  case pb::Command::BODY_NOT_SET:
    break;
  }
  return {.code = errc::unimplemented};
}

std::uint64_t oracle::new_id() const {
  return index_ * 4096 + partition_.value;
}

// -- configs ------------------------------------------------------------------

oracle::result oracle::on(const pb::ConfigPublish& p) {
  const auto of = name_of(p.key());
  auto& c = configs_[of];
  if (c.formal && !p.cas_md5().empty() && p.cas_md5() != c.formal->last.md5())
    return {.code = errc::aborted};
  const auto before = c.formal;
  formal_version now;
  now.last = p;
  now.app_name = p.has_app_name() ? p.app_name()
                 : before         ? before->app_name
                                  : "";
  now.tags = p.has_tags() ? p.tags() : before ? before->tags : "";
  now.id = before ? before->id : new_id();
  now.created = before ? before->created : time_;
  now.modified = time_;
  c.formal = now;
  c.revision = index_;
  remember(of, before ? "U" : "I", before ? *before : now, p.user(),
           p.source_ip());
  const auto differs = !before || before->last.content() != p.content();
  return {.id = now.id,
          .existed = before.has_value(),
          .event = config_event(of, differs, !before)};
}

oracle::result oracle::on(const pb::ConfigRemove& r) {
  const auto of = name_of(r.key());
  auto& c = configs_[of];
  if (!c.formal)
    return {};
  const auto gone = *c.formal;
  c.formal.reset();
  c.revision = index_;
  remember(of, "D", gone, r.user(), r.source_ip());
  return {.id = gone.id,
          .existed = true,
          .event = config_event(of, true, false, true)};
}

oracle::result oracle::on(const pb::GrayPublish& p) {
  const auto of = name_of(p.key());
  auto& c = configs_[of];
  const auto known = c.grays.find(p.name());
  const auto existed = known != c.grays.end();
  const auto limit = p.max_versions() == 0 ? 10U : p.max_versions();
  if (!existed && c.grays.size() >= limit)
    return {.code = errc::out_of_range};
  const auto before = existed ? known->second : gray{};
  gray now;
  now.last = p;
  now.id = existed ? before.id : new_id();
  now.created = existed ? before.created : time_;
  now.modified = time_;
  c.grays[p.name()] = now;
  c.revision = index_;
  remember(of, existed ? "U" : "I", p.name(), existed ? before : now, p.user(),
           p.source_ip());
  const auto differs = !existed || before.last.content() != p.content()
                       || rule_of(before.last) != rule_of(p);
  return {.id = now.id, .existed = existed, .event = config_event(of, differs)};
}

oracle::result oracle::on(const pb::GrayRemove& r) {
  const auto of = name_of(r.key());
  auto& c = configs_[of];
  const auto known = c.grays.find(r.name());
  if (known == c.grays.end())
    return {};
  const auto gone = known->second;
  c.grays.erase(known);
  c.revision = index_;
  remember(of, "D", r.name(), gone, r.user(), r.source_ip());
  return {.id = gone.id, .existed = true, .event = config_event(of, true)};
}

/// The oldest go first.
oracle::result oracle::on(const pb::HistoryTrim& t) {
  std::uint32_t gone = 0;
  for (; gone < t.limit(); ++gone) {
    const auto oldest =
        std::ranges::min_element(history_, {}, [](const past& p) {
          return std::pair{p.time, p.nid};
        });
    if (oldest == history_.end() || oldest->time >= t.before_ms())
      break;
    history_.erase(oldest);
  }
  return {.existed = gone > 0};
}

void oracle::remember(const name& of, const char* op, const formal_version& v,
                      const std::string& user, const std::string& source_ip) {
  const auto& p = v.last;
  history_.push_back(
      {of, new_id(), time_,
       named("history", of, new_id(), op, "formal", "", p.content(), p.md5(),
             p.type(), v.app_name, p.encrypted_data_key(), v.tags,
             p.description(), p.usage(), p.effect(), p.schema(), user,
             source_ip, v.created, time_, "")});
}

void oracle::remember(const name& of, const char* op,
                      const std::string& gray_name, const gray& g,
                      const std::string& user, const std::string& source_ip) {
  const auto& p = g.last;
  history_.push_back(
      {of, new_id(), time_,
       named("history", of, new_id(), op, "gray", gray_name, p.content(),
             p.md5(), p.type(), p.app_name(), p.encrypted_data_key(), "", "",
             "", "", "", user, source_ip, g.created, time_, rule_of(p))});
}

lines oracle::tell_config(const name& of) const {
  const auto found = configs_.find(of);
  lines out;
  if (found == configs_.end() || !found->second.is_there())
    return out;
  const auto& c = found->second;
  out.insert(named("shown", of, c.revision));
  if (c.formal) {
    const auto& p = c.formal->last;
    out.insert(named("formal", of, c.formal->id, p.content(), p.md5(), p.type(),
                     c.formal->app_name, p.encrypted_data_key(),
                     c.formal->modified));
  }
  std::vector<gray> sorted;
  for (const auto& [_, g] : c.grays)
    sorted.push_back(g);
  std::ranges::stable_sort(sorted, [](const gray& a, const gray& b) {
    return a.last.priority() > b.last.priority();
  });
  std::size_t nth = 0;
  for (const auto& g : sorted) {
    const auto& p = g.last;
    out.insert(named("gray", of, nth++, p.name(), p.rule_type(), p.expression(),
                     p.priority(), g.id, p.content(), p.md5(), p.type(),
                     p.app_name(), p.encrypted_data_key(), g.modified));
  }
  return out;
}

std::string oracle::shown(const name& of) const {
  std::string out;
  for (const auto& each : tell_config(of))
    out += each;
  return out.empty() ? "gone" : out;
}

std::string oracle::config_event(const name& of, bool content_changed,
                                 bool created, bool removed) const {
  return named("config changed", of, content_changed, created, removed,
               shown(of));
}

// -- namespaces ---------------------------------------------------------------

oracle::result oracle::on(const pb::NamespacePut& p) {
  const auto known = spaces_.find(p.id());
  const auto existed = known != spaces_.end();
  if (p.mode() == pb::NamespacePut::CREATE && (existed || p.id() == "public"))
    return {.code = errc::already_exists};
  if (p.mode() == pb::NamespacePut::UPDATE && !existed)
    return {};
  spaces_[p.id()] = {p.name(), p.description(),
                     existed ? known->second.created : time_, index_};
  return {.existed = existed,
          .event = line("namespace changed", p.id(), false)};
}

oracle::result oracle::on(const pb::NamespaceRemove& r) {
  if (spaces_.erase(r.id()) == 0)
    return {};
  return {.existed = true, .event = line("namespace changed", r.id(), true)};
}

// -- the cluster --------------------------------------------------------------

oracle::cluster_member* oracle::member_named(std::uint64_t node) {
  for (auto& each : members_)
    if (each.node == node)
      return &each;
  return nullptr;
}

oracle::result oracle::on(const pb::EnterCluster& e) {
  if (!founded_) {
    const auto take = [this](std::uint64_t node, const std::string& host) {
      if (member_named(node))
        return;
      members_.push_back({.node = node, .host = host, .founder = true});
      founders_ += std::to_string(node) + ",";
    };
    founded_ = true;
    cluster_ = e.cluster();
    for (const auto& each : e.founders())
      take(each.node(), each.address().host());
    take(e.node(), e.address().host());
  }
  auto* m = member_named(e.node());
  if (!m || (!m->directory.empty() && m->directory != e.incarnation()))
    return {.code = errc::failed_precondition};
  if (!m->directory.empty() && m->host == e.address().host())
    return {.existed = true};
  m->directory = e.incarnation();
  m->host = e.address().host();
  cluster_version_ = index_;
  return {};
}

oracle::result oracle::on(const pb::MemberAdd& a) {
  if (!founded_)
    return {.code = errc::failed_precondition};
  auto* m = member_named(a.member().node());
  if (!m)
    members_.push_back(
        {.node = a.member().node(), .host = a.member().address().host()});
  else if (m->standing == 0)
    return {.existed = true};
  else if (m->standing == 2)
    return {.code = errc::failed_precondition};
  else
    m->standing = 0;
  cluster_version_ = index_;
  return {};
}

oracle::result oracle::on(const pb::MemberChange& c) {
  if (!founded_)
    return {.code = errc::failed_precondition};
  auto* m = member_named(c.node());
  if (!m)
    return {.code = errc::not_found};
  if (c.kind() == pb::MemberChange::FORGET) {
    if (m->standing != 2)
      return {.code = errc::failed_precondition};
    std::erase_if(members_, [&](const auto& x) { return x.node == c.node(); });
    cluster_version_ = index_;
    return {};
  }
  const int wanted = c.kind() == pb::MemberChange::DRAIN ? 1 : 2;
  if (m->standing >= wanted)
    return {.existed = true};
  std::size_t others = 0;
  for (const auto& each : members_)
    others += each.node != c.node() && each.standing == 0 ? 1 : 0;
  if (others == 0)
    return {.code = errc::failed_precondition};
  m->standing = wanted;
  cluster_version_ = index_;
  return {};
}

// -- services -----------------------------------------------------------------

oracle::result oracle::on(const pb::ServicePut& p) {
  const auto of = name_of(p.key());
  auto& stored = services_[of].record;
  const auto existed = stored.has_value();
  if (existed && p.mode() == pb::ServicePut::CREATE)
    return {.code = errc::already_exists};
  if (!existed && p.mode() == pb::ServicePut::UPDATE)
    return {.code = errc::not_found};
  auto clusters = existed ? stored->clusters() : pb::ServiceRecord().clusters();
  for (const auto& [id, cluster] : p.record().clusters())
    clusters[id] = cluster;
  const auto kind = existed ? stored->ephemeral() : p.record().ephemeral();
  if (p.mode() != pb::ServicePut::MERGE_CLUSTERS)
    stored = p.record();
  else if (!existed)
    stored.emplace();
  stored->set_ephemeral(kind);
  *stored->mutable_clusters() = clusters;
  stored->set_revision(index_);
  return {.existed = existed, .event = service_event(of)};
}

oracle::result oracle::on(const pb::ServiceRemove& r) {
  const auto of = name_of(r.key());
  auto& s = services_[of];
  if (!s.record)
    return {.code = errc::not_found};
  if (!s.instances.empty())
    return {.code = errc::failed_precondition};
  s = {};
  return {.existed = true, .event = service_event(of, true)};
}

oracle::result oracle::on(const pb::InstancePut& p) {
  const auto of = name_of(p.key());
  auto& s = services_[of];
  if (s.record && s.record->ephemeral())
    return {.code = errc::failed_precondition};
  if (!s.record)
    s.record.emplace().set_revision(index_);
  const auto& given = p.record();
  const auto moved = std::erase_if(s.instances, [&given](const auto& i) {
    return std::get<0>(i.first) == given.ip()
           && std::get<1>(i.first) == given.port();
  });
  auto& stored = s.instances[{given.ip(), given.port(), given.cluster()}];
  stored = given;
  stored.set_revision(index_);
  return {.existed = moved > 0, .event = service_event(of)};
}

oracle::result oracle::on(const pb::InstanceRemove& r) {
  const auto of = name_of(r.key());
  const auto gone = std::erase_if(services_[of].instances, [&r](const auto& i) {
    return std::get<0>(i.first) == r.ip() && std::get<1>(i.first) == r.port();
  });
  if (gone == 0)
    return {};
  return {.existed = true, .event = service_event(of)};
}

oracle::result oracle::on(const pb::OverridePut& p) {
  const auto of = name_of(p.key());
  auto& all = services_[of].overrides;
  const place at{p.ip(), p.port(), p.cluster()};
  const auto existed = all.contains(at);
  auto& stored = all[at];
  if (p.record().has_weight())
    stored.set_weight(p.record().weight());
  if (p.record().has_enabled())
    stored.set_enabled(p.record().enabled());
  const auto& given = p.record().metadata();
  if (p.metadata() == pb::OverridePut::REPLACE)
    stored.clear_metadata();
  for (const auto& [key, value] : given) {
    if (p.metadata() == pb::OverridePut::REMOVE_KEYS)
      stored.mutable_metadata()->erase(key);
    else if (p.metadata() != pb::OverridePut::KEEP)
      (*stored.mutable_metadata())[key] = value;
  }
  stored.set_revision(index_);
  return {.existed = existed, .event = service_event(of)};
}

oracle::result oracle::on(const pb::OverrideRemove& r) {
  const auto of = name_of(r.key());
  if (services_[of].overrides.erase({r.ip(), r.port(), r.cluster()}) == 0)
    return {};
  return {.existed = true, .event = service_event(of)};
}

std::string oracle::service_event(const name& of, bool removed) const {
  return named("service changed", of, removed);
}

void oracle::tell_services(lines& out) const {
  for (const auto& [of, s] : services_) {
    if (const auto& r = s.record) {
      out.insert(named("service", of, r->ephemeral(), r->by_hand(),
                       r->protect_threshold(), r->selector(),
                       told_map(r->metadata()), told_clusters(*r),
                       r->revision()));
      out.insert(named("stored", of));
    }
    for (const auto& [at, i] : s.instances)
      out.insert(named("instance", of, i.ip(), i.port(), i.cluster(),
                       i.weight(), i.healthy(), i.enabled(), i.instance_id(),
                       i.app(), told_map(i.metadata()), i.revision()));
    for (const auto& [at, o] : s.overrides)
      out.insert(named("override", of, std::get<0>(at), std::get<1>(at),
                       std::get<2>(at), o.has_weight() ? told(o.weight()) : "",
                       o.has_enabled() ? told(o.enabled()) : "",
                       told_map(o.metadata()), o.revision()));
  }
}

// -- all of it ----------------------------------------------------------------

lines oracle::tell() const {
  lines out;
  std::size_t nth = 0;
  if (founded_)
    out.insert(line("cluster", cluster_, cluster_version_, founders_));
  for (const auto& m : members_)
    out.insert(line("member", nth++, m.node, m.directory, m.host, m.founder,
                    m.standing));
  std::map<std::string, std::uint64_t> counts;
  std::size_t grays = 0;
  std::size_t formals = 0;
  for (const auto& [of, c] : configs_) {
    out.merge(tell_config(of));
    grays += c.grays.size();
    if (!c.formal)
      continue;
    ++formals;
    ++counts[std::get<0>(of)];
    const auto& p = c.formal->last;
    out.insert(named("record", of, c.formal->tags, p.description(), p.usage(),
                     p.effect(), p.schema(), p.user(), p.source_ip(),
                     c.formal->created, c.grays.size()));
    out.insert(line("by id", c.formal->id, true));
    out.insert(named("name", of));
  }
  for (const auto& [id, count] : counts)
    out.insert(line("count", id, count));
  for (const auto& each : history_)
    out.insert(each.row);
  for (const auto& [id, s] : spaces_)
    out.insert(
        line("namespace", id, s.name, s.description, s.created, s.revision));
  tell_services(out);
  std::size_t instances = 0;
  std::size_t overrides = 0;
  for (const auto& [_, s] : services_) {
    instances += s.instances.size();
    overrides += s.overrides.size();
  }
  out.insert(line("rows", history_.size(), history_.size(), grays, formals,
                  instances, overrides));
  return out;
}

} // namespace muster::sim
