#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/base/clock.hpp"
#include "actors/core/base/result.hpp"
#include "actors/core/base/text.hpp"
#include "actors/core/naming/publication.hpp"
#include "actors/core/naming/view.hpp"

/// One service: who publishes what, what is stored, and when things expire.
namespace muster::naming {

/// Times and bounds that hold where an instance's metadata says nothing else.
struct service_rules {
  milliseconds beat_interval{5'000};
  milliseconds unhealthy_after{15'000};
  milliseconds delete_after{30'000};
  /// False: heart-beat instances turn unhealthy but stay, until `client_kept`.
  bool expire_instances = true;
  /// A heart-beat client that is silent for so long goes, whatever its metadata
  /// say (Nacos' ClientConfig).
  milliseconds client_kept{180'000};
  /// Kept without hosts, watchers and record.
  milliseconds empty_kept{60'000};
  /// False: a service that exists (see `kind_fixed`) is never idle.
  bool forget_empty = true;
  /// How long a stream client's instances outlive a take-over unclaimed.
  milliseconds orphan_kept{15'000};
  /// And how long instances outlive the node that owned them: SDKs reconnect to
  /// another one and register anew within that time.
  milliseconds lost_owner_kept{30'000};
  /// Kept overrides of an instance that is not there.
  milliseconds override_kept{60'000};
  std::size_t batch_max = 1'000;
};

/// Where an instance is within its service; what overrides are keyed by.
struct instance_place {
  std::string ip;
  std::uint32_t port = 0;
  std::string cluster;
  auto operator<=>(const instance_place&) const = default;
};

/// Values an operator laid over an instance.
struct instance_override {
  std::optional<double> weight;
  std::optional<bool> enabled;
  metadata_map metadata; ///< merged over the registered keys
};

/// What partition 0 has of a service, as of one moment.
struct stored_service {
  std::optional<service_definition> definition; ///< absent: no record
  std::vector<instance_ptr> instances;          ///< persistent ones
  std::vector<std::pair<instance_place, instance_override>> overrides;
};

/// What a client is told about its heart-beat.
struct beat_result {
  bool known = false; ///< false: register again
  milliseconds interval{};
};

/// Nacos' text for an instance of the kind that the service is not.
std::string kind_refusal(const service_key& key, bool is_ephemeral);

/// How a client's publication is kept alive.
enum class client_kind : std::uint8_t {
  heart_beat, ///< by beats; expires
  stream,     ///< by its connection, which the shell watches
  orphan,     ///< by nobody: its owner is gone; has to come back
  remote,     ///< by another node, which tells of its end
};

/// The state of one service. Owned by the service's actor, not thread-safe.
///
/// Changes are collected: `dirty()` says that readers should see something new,
/// `publish_view()` builds it. Reads no clock: `now` may not fall between calls.
/// After a crash a new core is brought up by `take_over()` and `load()`.
/// Errors are returned and leave the state as it was.
///
/// In a cluster (`shared`, which outlives it) it also holds what clients of
/// other nodes published, and says by `take_changes()` what others have to know.
/// Which publication wins where two nodes claim one is decided here.
class service_core {
public:
  service_core(service_key key, const service_rules& rules, steady_time now,
               const sharing* shared = nullptr);

  /// Starts from what the last core of this service published. Heart-beat
  /// clients get their full time anew, stream clients `orphan_kept`.
  void take_over(const service_view& last, steady_time now);

  /// Replaces all stored parts.
  void load(stored_service stored, steady_time now);

  /// Publishes a client's instances in place of its earlier ones; an empty list
  /// retracts. `failed_precondition`: the service is persistent;
  /// `invalid_argument`: time-outs below the interval; `resource_exhausted`:
  /// above `batch_max`.
  result<void> publish(std::string_view client_id, client_kind kind,
                       const std::vector<instance_ptr>& instances,
                       steady_time now);

  /// Forgets a client's publication; false if there was none.
  bool retract(std::string_view client_id, steady_time now);

  /// What a client has published here, as registered.
  std::vector<instance_ptr> published_by(std::string_view client_id) const;

  /// Renews and heals; registers `full` if the client is unknown. A beat for a
  /// persistent instance is "known" and changes nothing. Errors as `publish`.
  result<beat_result> beat(std::string_view client_id,
                           const instance_ptr& full, steady_time now);

  /// Marks and removes what has not beaten in time.
  void expire(steady_time now);

  /// Another node's word on a publication. Taken if it is newer than what is
  /// known, and shown; an orphan becomes remote again. What this node holds alive
  /// itself it keeps, or claims anew, as `keeps` in service_sharing.cpp says;
  /// `responsible`: by the members, this client is for this node.
  void apply(const publication& p, bool responsible, steady_time now);

  /// Another node removed it: so does this one, if the other owned it or the
  /// client asked for it.
  void apply_removal(const publication& p, steady_time now);

  /// Its owner is gone, and this node is responsible: a heart-beat client gets
  /// its full time anew. What is owned here already is told anew, and gets its
  /// time anew if it was taken over and not heard since.
  void adopt(std::string_view client_id, std::uint64_t revision,
             steady_time now);

  /// Its owner is gone, others may be responsible.
  void abandon(std::string_view client_id, std::uint64_t revision,
               steady_time now);

  /// What others have to know since the last call; removals have no instances.
  /// An orphan that went unclaimed is told as a removal in its owner's name, and
  /// what was let go for another node's claim as that node published it.
  std::vector<publication_ptr> take_changes();

  /// The revision of a client's publication; 0 if there is none.
  std::uint64_t revision_of(std::string_view client_id) const;

  /// Whether somebody watches: keeps the service alive.
  void set_watched(bool watched, steady_time now);

  /// Forgets the kind of a service that has neither record nor hosts. False if
  /// it has (then nothing is changed).
  bool forget(steady_time now);

  /// The next moment at which `expire`, `is_idle` or `stale_overrides` may have
  /// something to say; nullopt = only after another change.
  std::optional<steady_time> next_deadline() const noexcept;

  /// Nobody would miss this service: no hosts, definition by hand or watchers
  /// for `empty_kept`. With `has_record()` the record is to be removed first.
  bool is_idle(steady_time now) const noexcept;

  /// Overrides whose instance has been away for `override_kept`.
  std::vector<instance_place> stale_overrides(steady_time now) const;

  bool dirty() const noexcept { return dirty_; }
  /// Builds what readers see now and clears `dirty`.
  service_view_ptr publish_view(wall_time now);

  const service_key& key() const noexcept { return key_; }
  bool has_hosts() const noexcept { return !hosts_.empty(); }
  bool has_record() const noexcept { return has_record_; }
  /// Whether a registration or a record has fixed the kind: the service exists.
  bool kind_fixed() const noexcept { return kind_fixed_; }
  bool ephemeral() const noexcept { return definition_.ephemeral; }

private:
  using health = beat_health;

  struct client {
    std::vector<hosted_ptr> hosts;
    steady_time seen{};
    std::uint32_t unhealthy_after_ms = 0;
    std::uint32_t delete_after_ms = 0;
    client_kind kind = client_kind::stream;
    health state = health::as_registered;
    bool checked = true; ///< its own metadata does not take it out
    bool untold = false; ///< stands in `untold_`
    origin_ptr from;     ///< null on a node that stands alone
  };
  using client_map = text_map<client>;
  struct overlay {
    instance_override values;
    /// Since when its instance is missing; nullopt while it is there.
    std::optional<steady_time> away_since;
  };

  instance_ptr filled_in(const instance_ptr& in) const;
  result<void> check_publication(const std::vector<instance_ptr>& in) const;
  void place(std::string_view client_id, client_kind kind, health state,
             origin_ptr from, const std::vector<instance_ptr>& instances,
             steady_time now);
  hosted_ptr host(instance_ptr registered, std::string_view client_id,
                  health state, const origin_ptr& from) const;
  std::vector<hosted_ptr>::iterator locate(const hosted_ptr& host);
  void insert(const std::vector<hosted_ptr>& hosts);
  void erase(const std::vector<hosted_ptr>& hosts);
  void set_health(client& c, health state);
  void host_anew(client& c);
  void own(std::string_view client_id, client& c, bool taken);
  bool keeps(const client& c, const publication& p, bool responsible) const;
  void told(std::string_view client_id, client& c);
  void told_removed(std::string_view client_id, const client& c, bool asked);
  origin_ptr own_origin(bool taken) const;
  bool is_own(const client& c) const;
  void set_times(client& c) const;
  bool is_checked(const client& c) const;
  std::optional<steady_time> removal_of(const client& c) const;
  std::optional<steady_time> deadline_of(const client& c) const;
  void note_deadline(const client& c);
  bool is_present(const instance_place& place) const;
  std::optional<steady_time> idle_at() const noexcept;
  void lay_overrides_anew();
  void touched(steady_time now);

  const service_key key_;
  const service_rules& rules_;
  const sharing* const shared_;

  service_definition definition_;
  bool has_record_ = false;
  bool kind_fixed_ = false;
  client_map clients_;
  std::vector<hosted_ptr> hosts_; ///< sorted as service_view::hosts
  std::map<instance_place, overlay> overrides_;
  /// Clients that others have to hear of, removals among them.
  std::vector<std::string> untold_;
  std::vector<publication_ptr> removals_;
  std::shared_ptr<const service_key> shared_key_;

  /// Lower bound of all clients' next deadlines.
  std::optional<steady_time> next_expiry_;
  bool watched_ = false;
  std::optional<steady_time> idle_since_;
  bool dirty_ = false;
  std::uint64_t version_ = 0;
  std::uint64_t last_ref_ms_ = 0;
};

} // namespace muster::naming
