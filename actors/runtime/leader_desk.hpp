#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/runtime/spine.hpp"
#include "muster/command.pb.h"

/// Writes and reads of one partition that a member which leads it does for this
/// node.
namespace muster::runtime {

/// What a `leader_desk` works with. The functions are called on its actor's
/// thread.
struct leader_desk_parts {
  partition_id group;
  /// Names what this node passes on, so that a repetition is known: another
  /// number at each start.
  std::uint64_t client = 0;
  const clock& time;
  replica_times times;
  /// In progress at most, of writes and again of reads.
  std::size_t calls_max = 16384;
  /// Who leads, as far as known; 0 = nobody.
  std::function<node_id()> leader;
  /// The replica of this node, if that is who leads; else null.
  std::function<member_actor()> here;
  /// Null while it is being restarted.
  std::function<gate_actor()> gate;
  /// Whether readers of this node see everything up to that index.
  std::function<bool(log_index)> shows;
  /// Called when something begins to wait for a leader. Null: `tick` is called
  /// all the time.
  std::function<void()> parked{};
};

/// Has the leader do what was asked of this node, and answers once readers here
/// see it. Without a leader calls wait, at most `leader_wait`. A write is named,
/// so that it may be asked for again and is done once. Owned by one actor, of
/// the type that `Self` points to; everything runs on its thread.
template <class Self>
class leader_desk {
public:
  leader_desk(Self self, leader_desk_parts parts)
      : self_(self), parts_(std::move(parts)) {}

  /// Answers the message that is being handled.
  caf::result<model::outcome>
  pass(const std::shared_ptr<const pb::Command>& command) {
    if (writes_.size() + late_.size() >= parts_.calls_max)
      return api::to_caf(
          {errc::resource_exhausted, "too many writes in progress"});
    pass_on(named(command, reply{self_}), writes_);
    return caf::delegated<model::outcome>{};
  }
  caf::result<log_index> pass_read() {
    if (reads_.size() + late_.size() >= parts_.calls_max)
      return api::to_caf(
          {errc::resource_exhausted, "too many reads in progress"});
    pass_on(read_for(reply{self_}), reads_);
    return caf::delegated<log_index>{};
  }

  /// For the next leader, or this node once it takes writes again.
  void park(const std::shared_ptr<const pb::Command>& command, reply to) {
    wait(named(command, std::move(to)), writes_);
  }
  void park_read(reply to) { wait(read_for(std::move(to)), reads_); }

  /// Another member may lead now. Who was asked before leads no more, and may be
  /// dead or cut off: the next leader is asked as well.
  void leader_changed() {
    leave_old_leader(writes_);
    leave_old_leader(reads_);
    pass_parked();
  }

  /// Time passed: what failed for a moment is tried again, what waited too long
  /// is given up.
  void tick() {
    drop_overdue(writes_);
    drop_overdue(reads_);
    pass_parked();
  }

  /// Readers may see more now.
  void answer_late() {
    std::erase_if(late_, [this](late_answer& a) {
      if (!parts_.shows(a.index))
        return false;
      if (a.outcome)
        a.to.deliver(std::move(*a.outcome));
      else
        a.to.deliver(a.index);
      return true;
    });
  }

  /// Whether something waits for a leader.
  bool has_parked() const {
    return !writes_.parked.empty() || !reads_.parked.empty();
  }

  /// Whether something waits for a leader, or to be shown.
  bool is_busy() const { return has_parked() || !late_.empty(); }

private:
  /// Done elsewhere; answered once it is shown here too.
  struct late_answer {
    log_index index;
    std::optional<model::outcome> outcome; ///< none: a read
    reply to;
  };
  /// What the member that leads has to do, or does.
  struct passed {
    std::uint64_t number = 0; ///< in the order in which they came
    steady_time until;
    reply to;
    /// Somebody was asked and did not say that nothing happened.
    bool perhaps_done = false;
    /// Who was asked last, and which time that was: the failure of an earlier
    /// time is no news.
    node_id asked{};
    std::uint64_t turn = 0;
  };
  struct passed_write : passed {
    using answer = model::outcome;
    std::shared_ptr<const pb::Command> command;

    propose_here for_here() const { return {command}; }
    propose_at for_other(node_id leader, partition_id group) const {
      return {leader, group, command};
    }
    late_answer late(const answer& o) {
      return {o.index, o, std::move(this->to)};
    }
  };
  struct passed_read : passed {
    using answer = log_index;

    static read_here for_here() { return {}; }
    static read_at for_other(node_id leader, partition_id group) {
      return {leader, group};
    }
    late_answer late(const answer& index) {
      return {index, {}, std::move(this->to)};
    }
  };
  /// All of one kind.
  template <class Passed>
  struct passing {
    /// Of a leader; by number.
    std::map<std::uint64_t, std::shared_ptr<Passed>> asked;
    std::vector<std::shared_ptr<Passed>> parked; ///< for the next leader
    std::size_t size() const { return asked.size() + parked.size(); }
  };

  steady_time now() const { return parts_.time.steady(); }

  /// Nothing was done there; another member may be asked.
  static bool nothing_happened(const error& e) {
    return e.code == errc::unavailable || e.code == errc::resource_exhausted;
  }

  /// Asked twice, it is done once.
  std::shared_ptr<passed_write>
  named(const std::shared_ptr<const pb::Command>& command, reply to) {
    auto copy = std::make_shared<pb::Command>(*command);
    copy->set_client(parts_.client);
    copy->set_sequence(++number_);
    return std::make_shared<passed_write>(
        passed_write{{number_, now() + parts_.times.leader_wait, std::move(to)},
                     std::move(copy)});
  }

  std::shared_ptr<passed_read> read_for(reply to) {
    return std::make_shared<passed_read>(passed_read{
        {++number_, now() + parts_.times.leader_wait, std::move(to)}});
  }

  template <class Passed>
  void pass_on(std::shared_ptr<Passed> p, passing<Passed>& all) {
    const auto leader = parts_.leader();
    const auto here = parts_.here();
    const auto gate = here ? gate_actor{} : parts_.gate();
    if (leader.value == 0 || (!here && !gate)) {
      wait(std::move(p), all);
      return;
    }
    p->asked = leader;
    const auto turn = ++p->turn;
    all.asked.emplace(p->number, p);
    // An answer is one also if it comes after somebody else was asked.
    const auto done = [this, p, &all](const typename Passed::answer& a) {
      all.asked.erase(p->number);
      std::erase(all.parked, p);
      late_.push_back(p->late(a));
      answer_late();
    };
    const auto failed = [this, p, turn, &all](const caf::error& e) {
      if (turn != p->turn || all.asked.erase(p->number) == 0)
        return;
      const auto why = api::from_caf(e);
      if (!api::is_ours(e) || !nothing_happened(why))
        p->perhaps_done = true;
      // A read changes nothing, and the name of a command makes it safe to ask
      // again.
      if (now() < p->until)
        this->wait(p, all);
      else
        give_up(*p, why);
    };
    const auto at_most = parts_.times.answer_wait;
    if (here)
      self_->request(here, at_most, p->for_here()).then(done, failed);
    else
      self_->request(gate, at_most, p->for_other(leader, parts_.group))
          .then(done, failed);
  }

  template <class Passed>
  void wait(std::shared_ptr<Passed> p, passing<Passed>& all) {
    all.parked.push_back(std::move(p));
    if (parts_.parked)
      parts_.parked();
  }

  template <class Passed>
  void leave_old_leader(passing<Passed>& all) {
    std::erase_if(all.asked, [&, leader = parts_.leader()](const auto& each) {
      const auto& p = each.second;
      if (p->asked == leader)
        return false;
      p->perhaps_done = true;
      wait(p, all);
      return true;
    });
  }

  template <class Passed>
  void pass_parked(passing<Passed>& all) {
    for (auto& p : std::exchange(all.parked, {}))
      pass_on(std::move(p), all);
  }
  void pass_parked() {
    if (parts_.leader().value == 0)
      return;
    pass_parked(writes_);
    pass_parked(reads_);
  }

  template <class Passed>
  void drop_overdue(passing<Passed>& all) {
    std::erase_if(all.parked, [this](const auto& p) {
      if (now() < p->until)
        return false;
      give_up(*p, {errc::unavailable, "the partition has no leader now"});
      return true;
    });
  }

  static void give_up(passed_write& w, const error& why) {
    if (w.perhaps_done)
      w.to.fail({errc::unknown, "the partition's leader did not answer"});
    else
      w.to.fail(why);
  }
  static void give_up(passed_read& r, const error& why) { r.to.fail(why); }

  Self self_;
  leader_desk_parts parts_;
  passing<passed_write> writes_;
  passing<passed_read> reads_;
  std::vector<late_answer> late_;
  std::uint64_t number_ = 0;
};

} // namespace muster::runtime
