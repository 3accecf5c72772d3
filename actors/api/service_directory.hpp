#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "actors/api/actors.hpp"
#include "actors/api/handle_cell.hpp"
#include "actors/core/naming/view.hpp"

/// Where front-ends find a service: its current view and its actor.
namespace muster::api {

/// The place of one service, shared by its actor (which publishes) and all
/// readers. Outlives actor restarts: a new actor takes over from `view()`.
class service_slot {
public:
  explicit service_slot(service_key key) : key_(std::move(key)) {}

  const service_key& key() const noexcept { return key_; }

  /// The newest view; never null after the slot was handed out. Any thread.
  naming::service_view_ptr view() const noexcept {
    return view_.load(std::memory_order_acquire);
  }
  /// By the owning actor only.
  void publish(naming::service_view_ptr view) noexcept {
    view_.store(std::move(view), std::memory_order_release);
  }

  /// The actor that serves this slot now; changes when it is restarted. Null
  /// for a moment while it is. Any thread.
  service_actor actor() const { return actor_.load(); }
  void set_actor(service_actor actor) { actor_.store(std::move(actor)); }

private:
  const service_key key_;
  std::atomic<naming::service_view_ptr> view_;
  handle_cell<service_actor> actor_;
};

/// Sharded map from service key to slot. Namespace actors insert and erase, any
/// thread reads. Lives as long as the node.
class service_directory {
public:
  service_directory();
  ~service_directory();
  service_directory(const service_directory&) = delete;

  /// The slot, or null if the service is not known on this node.
  std::shared_ptr<service_slot> find(const key_view& key) const;

  /// The slot of `key`, made if absent.
  std::shared_ptr<service_slot> insert(const service_key& key);
  void erase(const service_key& key);

  /// All slots of a namespace, and all namespaces that have one; a walk through
  /// everything, for supervisors that start anew.
  std::vector<std::shared_ptr<service_slot>>
  in_space(std::string_view space) const;
  std::vector<std::string> spaces() const;

  std::size_t size() const noexcept;

private:
  struct shard;
  static constexpr std::size_t shard_count = 64;
  std::unique_ptr<std::array<shard, shard_count>> shards_;
};

} // namespace muster::api
