#pragma once

#include <memory>

#include "actors/api/node.hpp"
#include "protocols/nacos/codec/request_rules.hpp"
#include "protocols/nacos/grpc/fuzzy_limits.hpp"
#include "protocols/nacos/grpc/payload.hpp"
#include "protocols/nacos/grpc/registry.hpp"

namespace muster::nacos::remote {

/// What all streams of a door share; outlives them.
struct stream_parts {
  api::node& node;
  registry& clients;
  fuzzy_limits& limits;
  const request_rules rules;
};

/// The product's side of a client's stream: the set-up makes it a registered
/// client, answers of pushes go to its actor, everything else is ignored.
/// Source: nacos-grpc 3.3, 4.3, 11.
class bi_stream final : public rpc::stream_events {
public:
  bi_stream(const stream_parts& parts, std::shared_ptr<rpc::stream> stream)
    : parts_(parts), stream_(std::move(stream)) {
    // nop
  }

  void on_message(const ::grpc::ByteBuffer& message) override;
  void on_end() override;

private:
  void set_up(const envelope& wire);
  void answered(const envelope& wire);
  void drop_client();

  const stream_parts& parts_;
  std::shared_ptr<rpc::stream> stream_;
  std::shared_ptr<client> client_;
};

} // namespace muster::nacos::remote
