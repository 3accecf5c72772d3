#pragma once

#include <memory>

#include "actors/api/clients.hpp"
#include "actors/core/base/clock.hpp"
#include "protocols/nacos/grpc/registry.hpp"

namespace muster::nacos::remote {

/// The clients of a door, for those who move clients to other nodes. Keeps the
/// registry, so it may outlive the door. Any thread. Source: nacos-grpc 3.8, 5.
class streams final : public api::client_streams {
public:
  /// Who was asked this long ago and is still here does not move.
  static constexpr milliseconds moves_within{5'000};

  /// `port`: where the clients are connected to.
  streams(std::shared_ptr<registry> clients, const clock& time,
          std::uint16_t port)
      : clients_(std::move(clients)), time_(time), port_(port) {}

  api::client_counts counts() const override;
  std::vector<api::client_row> rows() const override;
  bool reset(std::string_view connection_id, std::string_view target) override;
  std::size_t shed(std::size_t keep,
                   std::span<const std::string> targets) override;

private:
  const std::shared_ptr<registry> clients_;
  const clock& time_;
  const std::uint16_t port_;
};

} // namespace muster::nacos::remote
