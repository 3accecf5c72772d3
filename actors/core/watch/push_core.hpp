#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/text.hpp"

/// What is pushed to a client when, and again when it does not answer.
namespace muster::watch {

enum class push_kind : std::uint8_t { config, service, name, probe, reset };
inline constexpr std::size_t push_kinds = 5;

/// How pushes of one kind are repeated.
struct push_policy {
  /// A push that is not answered within this has failed.
  milliseconds answer_timeout{3'000};
  /// Wait after a failed try …
  milliseconds retry_delay{2'000};
  /// … times the number of tries so far.
  bool delay_grows = true;
  /// After so many failed tries `at_limit` happens; 0 = never.
  std::uint32_t tries_max = 50;
  enum class limit : std::uint8_t { disconnect, give_up };
  limit at_limit = limit::disconnect;
};

/// By `push_kind`.
using push_policies = std::array<push_policy, push_kinds>;

/// Nacos' numbers (nacos-grpc.md, sections 6.8, 7.6 and 11): config and name as
/// the defaults above; service 5 s, then again after 1 s, for ever; probe 5 s,
/// then disconnect; reset once.
push_policies default_push_policies();

/// The pushes of one stream: keyed, coalescing, acknowledged.
///
/// A key stands for one thing to push; its data is read by the shell when a
/// send comes out, so the last state wins. A key has one push in force: a
/// change while that is unanswered starts the next one at once, with new tries,
/// and answers to older request ids of the key do nothing. Until the stream is
/// open pushes are held back, one per key.
///
/// Owned by one connection; no clock of its own. Bound: `keys_max` keys not
/// answered yet; one more ends the stream, since a client that misses a change
/// silently is worse than one that comes again.
class push_core {
public:
  struct limits {
    push_policies policies = default_push_policies();
    std::size_t keys_max = 10'000;
  };

  /// Effects of one input, in the order in which they are to be carried out.
  struct output {
    struct send {
      std::string key;
      /// Unique on this stream, rising, from 1.
      std::uint64_t request_id = 0;
    };
    std::vector<send> sends;
    /// Answered well.
    std::vector<std::string> done;
    /// Not tried again.
    std::vector<std::string> given_up;
    /// Why the stream is to be ended; empty = it is not.
    std::string disconnect;
  };

  /// Pushes are held back until `opens_at` or `open`: a client that just
  /// connected may lose them (nacos-grpc.md, section 3.5).
  push_core(limits bounds, steady_time opens_at)
      : limits_(std::move(bounds)), opens_at_(opens_at) {}

  /// The client made its first call on this stream.
  output open(steady_time now);

  /// The thing that `key` stands for changed. A key never changes its kind.
  output enqueue(std::string_view key, push_kind kind, steady_time now);

  /// An answer came, or (with `ok` false) the push could not be sent. Unknown
  /// and outdated ids do nothing.
  output answered(std::uint64_t request_id, bool ok, steady_time now);

  output tick(steady_time now);

  /// Nobody wants this key any more: unanswered or not, it is not pushed again.
  void forget(std::string_view key);

  /// The stream ended: all keys are given up, later inputs do nothing.
  output closed();

  /// Before this moment `tick` has nothing to do; nullopt = nothing is waiting.
  std::optional<steady_time> next_due() const;

  /// Keys whose newest push was not answered yet.
  std::size_t size() const noexcept { return entries_.size(); }

private:
  struct entry {
    push_kind kind = push_kind::config;
    std::uint32_t tries = 0;
    /// Newest push; 0 while held back.
    std::uint64_t request_id = 0;
    /// Answered by then, or else failed; once failed: the next try.
    steady_time due{};
    bool failed = false;
  };
  using entry_map = text_map<entry>;
  using node = entry_map::value_type;

  bool is_open(steady_time now) const { return now >= opens_at_; }
  const push_policy& policy(const node& n) const {
    return limits_.policies[static_cast<std::size_t>(n.second.kind)];
  }
  void release(output& out, steady_time now);
  void send(node& n, output& out, steady_time now);
  void fail(node& n, output& out, steady_time now);
  /// Takes the push in force out of `timers_` and `requests_`.
  void disarm(const node& n);
  void erase(const node& n);

  limits limits_;
  steady_time opens_at_;
  std::uint64_t last_request_id_ = 0;
  bool closed_ = false;
  /// Keys held back, oldest first; views into `entries_`.
  std::vector<node*> held_;
  entry_map entries_;
  /// Pushes in force by request id; nodes of `entries_` never move.
  std::unordered_map<std::uint64_t, node*> requests_;
  std::set<std::pair<steady_time, std::uint64_t>> timers_;
};

} // namespace muster::watch
