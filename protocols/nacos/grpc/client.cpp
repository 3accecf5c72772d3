#include "protocols/nacos/grpc/client.hpp"

#include <algorithm>
#include <utility>

#include "protocols/common/ask.hpp"
#include "protocols/nacos/grpc/push.hpp"

namespace muster::nacos::remote {

namespace {

constexpr std::int64_t tell_active_every_ms = 1000;

bool has_naming_module(const api::client_info& info) {
  return std::ranges::any_of(info.labels, [](const auto& label) {
    return label.first == "module"
           && (label.second == "naming" || label.second == "ai");
  });
}

} // namespace

client::client(api::client_info info, std::shared_ptr<rpc::stream> stream,
               std::string server_ip, const clock& time,
               std::function<void(client&)> on_close)
  : info_(std::move(info)), stream_(std::move(stream)),
    server_ip_(std::move(server_ip)), on_close_(std::move(on_close)),
    naming_(has_naming_module(info_)), since_(time.wall()),
    told_active_ms_(time.steady().time_since_epoch().count()
                    - tell_active_every_ms) {
  // nop
}

void client::touch(steady_time now) {
  const auto ms = now.time_since_epoch().count();
  auto told = told_active_ms_.load(std::memory_order_relaxed);
  if (ms - told < tell_active_every_ms
      || !told_active_ms_.compare_exchange_strong(told, ms))
    return;
  common::tell(actor_, api::client_active{});
}

milliseconds client::silent_for(steady_time now) const noexcept {
  const auto told = told_active_ms_.load(std::memory_order_relaxed);
  return milliseconds{std::max<std::int64_t>(
    0, now.time_since_epoch().count() - told)};
}

void client::send_setup_ack() {
  stream_->write(setup_ack(server_ip_));
}

bool client::push(const api::push_item& item, std::uint64_t request_id) {
  const auto blank = item.kind == api::push_item::what::config
                     && left_tenant_blank(item.config);
  return stream_->write(
    render_push(item, request_id, {server_ip_, info_.connection_id, blank}));
}

void client::close(std::string_view reason) {
  if (closed_.exchange(true))
    return;
  // Not OK: some clients take an orderly end for nothing at all (3.7).
  stream_->close({::grpc::StatusCode::UNAVAILABLE, std::string{reason}});
  on_close_(*this);
}

void client::note_tenant(const config_key& key, bool blank) {
  if (key.space != public_namespace)
    return;
  const std::lock_guard lock(mutex_);
  if (!usual_known_) {
    usual_known_ = true;
    usually_blank_ = blank;
  }
  if (blank == usually_blank_)
    unusual_.erase(hash_of(key));
  else
    unusual_.insert(hash_of(key));
}

void client::forget_tenant(const config_key& key) {
  const std::lock_guard lock(mutex_);
  unusual_.erase(hash_of(key));
}

bool client::left_tenant_blank(const config_key& key) const {
  if (key.space != public_namespace)
    return false;
  const std::lock_guard lock(mutex_);
  return usually_blank_ != unusual_.contains(hash_of(key));
}

std::size_t client::hash_of(const config_key& key) {
  return key_hash{}(key);
}

} // namespace muster::nacos::remote
