#include "protocols/nacos/grpc/streams.hpp"

#include <algorithm>
#include <tuple>

#include "protocols/common/ask.hpp"

namespace muster::nacos::remote {

namespace {

void ask_to_move(client& one, std::string_view target, steady_time now) {
  one.note_asked_to_move(now);
  common::tell(one.actor(), api::client_reset{std::string{target}});
}

} // namespace

api::client_counts streams::counts() const {
  api::client_counts out;
  for (const auto& one : clients_->all()) {
    ++out.all;
    out.sdks += api::is_server(one->info()) ? 0 : 1;
  }
  return out;
}

std::vector<api::client_row> streams::rows() const {
  std::vector<api::client_row> out;
  const auto now = time_.steady();
  for (const auto& one : clients_->all())
    out.push_back({.info = one->info(),
                   .remote_port = parse_peer(one->peer()).port,
                   .local_port = port_,
                   .since = one->since(),
                   .active = time_.wall() - one->silent_for(now)});
  return out;
}

bool streams::reset(std::string_view connection_id, std::string_view target) {
  const auto one = clients_->find_id(connection_id);
  if (one)
    ask_to_move(*one, target, time_.steady());
  return one != nullptr;
}

std::size_t streams::shed(std::size_t keep,
                          std::span<const std::string> targets) {
  auto all = clients_->all();
  std::erase_if(all, [](const auto& one) { return api::is_server(one->info()); });
  auto surplus = all.size() - std::min(all.size(), keep);
  const auto now = time_.steady();
  // Of those never asked, the oldest first, as Nacos does.
  std::vector<std::tuple<steady_time, wall_time, std::string_view, client*>>
      staying;
  for (const auto& one : all)
    if (const auto asked = one->asked_to_move();
        asked == steady_time{} || now - asked >= moves_within)
      staying.emplace_back(asked, one->since(), one->peer(), one.get());
  surplus -= std::min(surplus, all.size() - staying.size());
  const auto asked = std::min(surplus, staying.size());
  std::ranges::partial_sort(staying, staying.begin()
                                         + static_cast<std::ptrdiff_t>(asked));
  for (std::size_t i = 0; i < asked; ++i)
    ask_to_move(*std::get<client*>(staying[i]),
                targets.empty() ? std::string_view{}
                                : targets[i % targets.size()],
                now);
  return asked;
}

} // namespace muster::nacos::remote
