#include "tests/sim/model/commands.hpp"

namespace muster::sim {

namespace {

/// A repeated command is one of so many newest.
constexpr std::size_t repeated_max = 20;

} // namespace

pb::Command command_source::next() {
  if (!named_.empty() && below(10) == 0)
    return chance_.pick(named_);
  using source = command_source;
  using maker = void (source::*)(pb::Command&);
  static const std::vector<maker> makers{
      &source::config_publish,   &source::config_publish,
      &source::config_publish,   &source::config_publish,
      &source::config_publish,   &source::config_remove,
      &source::gray_publish,     &source::gray_publish,
      &source::gray_publish,     &source::gray_remove,
      &source::history_trim,     &source::namespace_put,
      &source::namespace_remove, &source::service_put,
      &source::service_put,      &source::service_remove,
      &source::instance_put,     &source::instance_put,
      &source::instance_remove,  &source::override_put,
      &source::override_put,     &source::override_remove,
      &source::enter_cluster,    &source::member_add,
      &source::member_change,    &source::nothing_known};
  pb::Command c;
  (this->*chance_.pick(makers))(c);
  // Proposers' clocks differ: time goes back now and then.
  time_ms_ += below(5);
  c.set_time_ms(time_ms_ - below(3));
  if (below(4) != 0)
    return c;
  c.set_client(1 + below(2));
  c.set_sequence(++sequence_);
  named_.push_back(c);
  if (named_.size() > repeated_max)
    named_.erase(named_.begin());
  return c;
}

std::string command_source::word() {
  return std::string(1, static_cast<char>('a' + below(3)));
}

std::string command_source::ip() {
  return "1.1.1." + std::to_string(below(3));
}

template <class Key>
void command_source::name(Key& key) {
  key.set_namespace_id(one_of(names_.spaces));
  key.set_group(one_of(names_.groups));
  if constexpr (requires { key.set_data_id(""); })
    key.set_data_id(one_of(names_.names));
  else
    key.set_service(one_of(names_.names));
}

template <class Map>
void command_source::fill(Map& map) {
  for (auto left = below(5); left > 0; --left)
    map[std::to_string(below(20))] = word();
}

template <class Part>
void command_source::place(Part& part) {
  name(*part.mutable_key());
  part.set_ip(ip());
  part.set_port(static_cast<std::uint32_t>(80 + below(2)));
  part.set_cluster(word());
}

template <class Part>
void command_source::sign(Part& part) {
  part.set_user(word());
  part.set_source_ip(ip());
}

void command_source::config_remove(pb::Command& c) {
  name(*c.mutable_config_remove()->mutable_key());
  sign(*c.mutable_config_remove());
}

void command_source::gray_remove(pb::Command& c) {
  auto& r = *c.mutable_gray_remove();
  name(*r.mutable_key());
  r.set_name("tag_" + word());
  sign(r);
}

void command_source::enter_cluster(pb::Command& c) {
  auto& e = *c.mutable_enter_cluster();
  e.set_node(1 + below(3));
  e.set_incarnation(word());
  e.set_cluster(word());
  e.mutable_address()->set_host(word());
  for (auto more = below(3); more > 0; --more) {
    auto& founder = *e.add_founders();
    founder.set_node(1 + below(3));
    founder.mutable_address()->set_host(word());
  }
}

void command_source::member_add(pb::Command& c) {
  auto& m = *c.mutable_member_add()->mutable_member();
  m.set_node(1 + below(4));
  m.mutable_address()->set_host(word());
}

void command_source::member_change(pb::Command& c) {
  auto& m = *c.mutable_member_change();
  m.set_node(1 + below(4));
  m.set_kind(chance_.pick(std::vector{pb::MemberChange::DRAIN,
                                      pb::MemberChange::REMOVE,
                                      pb::MemberChange::FORGET}));
}

void command_source::namespace_remove(pb::Command& c) {
  c.mutable_namespace_remove()->set_id(one_of(names_.names));
}

void command_source::service_remove(pb::Command& c) {
  name(*c.mutable_service_remove()->mutable_key());
}

void command_source::instance_remove(pb::Command& c) {
  place(*c.mutable_instance_remove());
}

void command_source::override_remove(pb::Command& c) {
  place(*c.mutable_override_remove());
}

void command_source::nothing_known(pb::Command&) {}

void command_source::config_publish(pb::Command& c) {
  auto& p = *c.mutable_config_publish();
  name(*p.mutable_key());
  p.set_content(word());
  p.set_md5("md5 of " + p.content());
  p.set_type(word());
  if (below(2) == 0)
    p.set_app_name(word());
  if (below(2) == 0)
    p.set_tags(word());
  p.set_description(word());
  p.set_usage(word());
  p.set_effect(word());
  p.set_schema(word());
  p.set_encrypted_data_key(word());
  sign(p);
  if (below(3) == 0)
    p.set_cas_md5("md5 of " + word());
}

void command_source::gray_publish(pb::Command& c) {
  auto& p = *c.mutable_gray_publish();
  name(*p.mutable_key());
  p.set_name("tag_" + word());
  p.set_rule_type("tag");
  p.set_rule_version(word());
  p.set_expression(word());
  p.set_priority(static_cast<std::int32_t>(below(3)) - 1);
  p.set_content(word());
  p.set_md5("md5 of " + p.content());
  p.set_type(word());
  p.set_app_name(word());
  p.set_encrypted_data_key(word());
  sign(p);
  p.set_max_versions(below(2) == 0 ? 2 : 0);
}

void command_source::history_trim(pb::Command& c) {
  c.mutable_history_trim()->set_before_ms(time_ms_ - below(100));
  c.mutable_history_trim()->set_limit(static_cast<std::uint32_t>(below(40)));
}

void command_source::namespace_put(pb::Command& c) {
  auto& p = *c.mutable_namespace_put();
  p.set_id(below(4) == 0 ? "public" : one_of(names_.names));
  p.set_name(word());
  p.set_description(word());
  p.set_mode(static_cast<pb::NamespacePut::Mode>(below(2)));
}

void command_source::service_put(pb::Command& c) {
  auto& p = *c.mutable_service_put();
  name(*p.mutable_key());
  p.set_mode(static_cast<pb::ServicePut::Mode>(below(4)));
  auto& r = *p.mutable_record();
  r.set_ephemeral(below(3) == 0);
  r.set_by_hand(below(2) == 0);
  r.set_protect_threshold(static_cast<double>(below(3)) / 2);
  r.set_selector(word());
  fill(*r.mutable_metadata());
  for (auto left = below(3); left > 0; --left) {
    auto& cluster = (*r.mutable_clusters())[word()];
    cluster.set_health_checker(word());
    cluster.set_check_port(static_cast<std::uint32_t>(below(3)));
    cluster.set_use_instance_port(below(2) == 0);
    fill(*cluster.mutable_metadata());
  }
}

void command_source::instance_put(pb::Command& c) {
  auto& p = *c.mutable_instance_put();
  name(*p.mutable_key());
  auto& r = *p.mutable_record();
  r.set_ip(ip());
  r.set_port(static_cast<std::uint32_t>(80 + below(2)));
  r.set_cluster(word());
  r.set_weight(static_cast<double>(below(3)));
  r.set_healthy(below(2) == 0);
  r.set_enabled(below(2) == 0);
  r.set_instance_id(word());
  r.set_app(word());
  fill(*r.mutable_metadata());
}

void command_source::override_put(pb::Command& c) {
  auto& p = *c.mutable_override_put();
  place(p);
  if (below(2) == 0)
    p.mutable_record()->set_weight(static_cast<double>(below(3)));
  if (below(2) == 0)
    p.mutable_record()->set_enabled(below(2) == 0);
  fill(*p.mutable_record()->mutable_metadata());
  p.set_metadata(static_cast<pb::OverridePut::Metadata>(below(4)));
}

} // namespace muster::sim
