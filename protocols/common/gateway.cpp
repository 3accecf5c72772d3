#include "protocols/common/gateway.hpp"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <caf/actor_companion.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

#include "actors/api/burst.hpp"
#include "actors/core/base/invariant.hpp"
#include "protocols/common/ask.hpp"

namespace muster::common {

namespace asio = boost::asio;

namespace {

thread_local gateway* current = nullptr;

/// Request ids are slot and generation, so that a late answer to an ask that
/// was given up never reaches the slot's next user.
constexpr std::uint64_t slot_bits = 24;
constexpr std::uint64_t generation_max = (std::uint64_t{1} << 36) - 1;

constexpr auto never = steady_time::max();

} // namespace

// -- what actors send: a stack any thread may push to, taken whole
// -------------

class burst {
public:
  burst() = default;
  burst(const burst&) = delete;
  ~burst() {
    take([](caf::mailbox_element&) {});
  }

  /// True if it was empty: then somebody has to come for it.
  bool push(caf::mailbox_element_ptr element) noexcept {
    auto* node = element.release();
    auto* head = head_.load(std::memory_order_relaxed);
    do {
      node->next = head;
    } while (!head_.compare_exchange_weak(head, node, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == nullptr;
  }

  /// Calls `f` for each element, oldest first.
  template <class F>
  void take(F f) {
    caf::mailbox_element* newest =
        head_.exchange(nullptr, std::memory_order_acquire);
    caf::mailbox_element* oldest = nullptr;
    while (newest != nullptr) {
      auto* next = static_cast<caf::mailbox_element*>(newest->next);
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      caf::mailbox_element_ptr element{oldest};
      oldest = static_cast<caf::mailbox_element*>(oldest->next);
      f(*element);
    }
  }

private:
  std::atomic<caf::mailbox_element*> head_{nullptr};
};

// -- gateway
// -------------------------------------------------------------------

struct gateway::impl : api::sleeper, std::enable_shared_from_this<gateway::impl> {
  struct slot {
    std::unique_ptr<pending_ask> ask; ///< null: free
    steady_time deadline{};
    std::uint64_t generation = 1;
  };

  impl(asio::io_context& context, caf::actor_system& system, const clock& t,
       settings s, loop* l)
      : io(context), runner(l), time(t), conf(s), sweeper(context),
        handle(system.spawn<caf::actor_companion, caf::hidden>()),
        self(caf::actor_cast<caf::strong_actor_ptr>(handle)) {
    companion().on_enqueue([this](caf::mailbox_element_ptr element) {
      if (arrived.push(std::move(element)) && !api::burst::hold(shared_from_this()))
        wake();
    });
  }

  void wake() override {
    post([me = shared_from_this()] { me->drain(); });
  }

  template <class F>
  void post(F f) {
    asio::post(io, std::move(f));
    if (runner)
      runner->wake();
  }

  caf::actor_companion& companion() {
    return *static_cast<caf::actor_companion*>(
        caf::actor_cast<caf::abstract_actor*>(handle));
  }

  void drain() {
    arrived.take([this](caf::mailbox_element& e) { dispatch(e); });
  }

  void dispatch(caf::mailbox_element& element);
  void answered(caf::mailbox_element& element);
  template <class Fired>
  bool deliver(caf::mailbox_element& element);
  void lost(const caf::actor_addr& who);

  std::optional<caf::message_id> enter(std::unique_ptr<pending_ask> ask,
                                       steady_time deadline);
  void fail_later(std::unique_ptr<pending_ask> ask, error why) {
    post([ask = std::move(ask), why = std::move(why)]() mutable {
      ask->fail(std::move(why));
    });
  }
  std::unique_ptr<pending_ask> release(std::size_t index);
  void arm_sweeper();
  void sweep();
  void fail_all(error why);

  void monitor(const caf::actor_addr& who, caf::abstract_actor* actor) {
    if (monitored[who]++ == 0)
      companion().monitor(actor, caf::message_priority::normal);
  }
  void demonitor(const caf::actor_addr& who) {
    const auto it = monitored.find(who);
    if (it != monitored.end() && --it->second == 0) {
      companion().demonitor(who);
      monitored.erase(it);
    }
  }

  asio::io_context& io;
  loop* const runner;
  const clock& time;
  const settings conf;
  asio::steady_timer sweeper;
  bool sweeper_armed = false;
  bool closed = false;
  caf::actor handle;
  caf::strong_actor_ptr self;
  burst arrived;

  std::vector<slot> slots;
  std::vector<std::size_t> free_slots;
  std::size_t open = 0;
  steady_time earliest = never;

  std::uint64_t next_token = 1;
  std::unordered_map<std::uint64_t, inbox_impl*> inboxes;
  std::unordered_map<caf::actor_addr, std::size_t> monitored;
};

class gateway::inbox_impl final : public gateway::inbox {
public:
  inbox_impl(std::shared_ptr<impl> gate, std::uint64_t token)
      : gate_(std::move(gate)), token_(token), timer_(gate_->io) {
    gate_->inboxes.emplace(token_, this);
  }
  ~inbox_impl() override;

  std::uint64_t token() const noexcept override { return token_; }

  asio::awaitable<result<api::done>>
  watch(api::config_group_actor group,
        std::vector<std::string> data_ids) override;
  asio::awaitable<result<naming::service_view_ptr>>
  watch(api::service_actor service) override;

  asio::awaitable<void> wait(steady_time until) override;
  asio::awaitable<void> wait(steady_time until,
                             http::client_link& client) override;

  void wake() override {
    woken_ = true;
    timer_.cancel();
  }

  std::vector<std::shared_ptr<const api::config_fired>>
  take_configs() override {
    return std::exchange(configs_, {});
  }
  std::vector<std::shared_ptr<const api::service_fired>>
  take_services() override {
    return std::exchange(services_, {});
  }
  bool take_overflow() override { return std::exchange(overflowed_, false); }
  bool take_lost() override { return std::exchange(lost_, false); }

  void put(const std::shared_ptr<const api::config_fired>& fired) {
    keep(configs_, fired);
  }
  void put(const std::shared_ptr<const api::service_fired>& fired) {
    keep(services_, fired);
  }
  bool watches(const caf::actor_addr& who) const {
    return std::ranges::find(monitored_, who) != monitored_.end();
  }
  void set_lost() {
    lost_ = true;
    timer_.cancel();
  }

private:
  template <class Fired>
  void keep(std::vector<Fired>& queue, const Fired& fired) {
    if (queue.size() < capacity)
      queue.push_back(fired);
    else
      overflowed_ = true;
    timer_.cancel();
  }
  bool has_news() const {
    return woken_ || lost_ || overflowed_ || !configs_.empty()
           || !services_.empty() || gate_->closed;
  }
  template <class Handle>
  void remember(std::vector<Handle>& list, const Handle& watched);

  std::shared_ptr<impl> gate_;
  const std::uint64_t token_;
  asio::steady_timer timer_;
  std::vector<std::shared_ptr<const api::config_fired>> configs_;
  std::vector<std::shared_ptr<const api::service_fired>> services_;
  std::vector<caf::actor_addr> monitored_;
  std::vector<api::config_group_actor> groups_;
  std::vector<api::service_actor> watched_services_;
  bool woken_ = false;
  bool lost_ = false;
  bool overflowed_ = false;
};

// -- dispatch
// ------------------------------------------------------------------

void gateway::impl::dispatch(caf::mailbox_element& element) {
  if (element.mid.is_response())
    return answered(element);
  if (deliver<api::config_fired>(element)
      || deliver<api::service_fired>(element))
    return;
  const auto& content = element.content();
  if (content.match_elements<caf::down_msg>())
    lost(content.get_as<caf::down_msg>(0).source);
}

void gateway::impl::answered(caf::mailbox_element& element) {
  const auto id = element.mid.request_id().integer_value();
  const auto index = id & ((std::uint64_t{1} << slot_bits) - 1);
  if (index >= slots.size() || slots[index].generation != id >> slot_bits
      || !slots[index].ask)
    return; // its deadline has passed
  release(index)->complete(element);
}

template <class Fired>
bool gateway::impl::deliver(caf::mailbox_element& element) {
  auto& content = element.content();
  if (!content.match_elements<Fired>())
    return false;
  const auto fired = std::make_shared<const Fired>(
      content.shared() ? content.get_as<Fired>(0)
                       : std::move(content.get_mutable_as<Fired>(0)));
  for (const auto token : fired->tokens)
    if (const auto it = inboxes.find(token); it != inboxes.end())
      it->second->put(fired);
  return true;
}

void gateway::impl::lost(const caf::actor_addr& who) {
  monitored.erase(who);
  for (const auto& [token, box] : inboxes)
    if (box->watches(who))
      box->set_lost();
}

// -- asks
// ----------------------------------------------------------------------

std::optional<caf::message_id>
gateway::impl::enter(std::unique_ptr<pending_ask> ask, steady_time deadline) {
  if (closed || open >= conf.asks_max) {
    fail_later(std::move(ask),
               closed
                   ? error{errc::unavailable, "this node is shutting down"}
                   : error{errc::resource_exhausted, "too many open requests"});
    return std::nullopt;
  }
  if (free_slots.empty()) {
    free_slots.push_back(slots.size());
    slots.emplace_back();
  }
  const auto index = free_slots.back();
  free_slots.pop_back();
  auto& s = slots[index];
  s.ask = std::move(ask);
  s.deadline = deadline;
  ++open;
  earliest = std::min(earliest, deadline);
  arm_sweeper();
  return caf::make_message_id((s.generation << slot_bits) | index);
}

std::unique_ptr<pending_ask> gateway::impl::release(std::size_t index) {
  auto& s = slots[index];
  s.generation = s.generation == generation_max ? 1 : s.generation + 1;
  free_slots.push_back(index);
  --open;
  return std::exchange(s.ask, nullptr);
}

void gateway::impl::arm_sweeper() {
  if (sweeper_armed)
    return;
  sweeper_armed = true;
  sweeper.expires_after(conf.sweep);
  sweeper.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& ec) {
        const auto me = weak.lock();
        if (ec || !me)
          return;
        me->sweeper_armed = false;
        me->sweep();
        if (me->open != 0)
          me->arm_sweeper();
      });
}

void gateway::impl::sweep() {
  const auto now = time.steady();
  if (now < earliest)
    return;
  // Resumed coroutines change the table: collect first.
  std::vector<std::unique_ptr<pending_ask>> expired;
  earliest = never;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].ask)
      continue;
    if (slots[i].deadline <= now)
      expired.push_back(release(i));
    else
      earliest = std::min(earliest, slots[i].deadline);
  }
  for (auto& ask : expired)
    ask->fail({errc::deadline_exceeded, "no answer in time"});
}

void gateway::impl::fail_all(error why) {
  std::vector<std::unique_ptr<pending_ask>> left;
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].ask)
      left.push_back(release(i));
  for (auto& ask : left)
    ask->fail(why);
}

// -- inbox
// ---------------------------------------------------------------------

gateway::inbox_impl::~inbox_impl() {
  gate_->inboxes.erase(token_);
  const api::watcher me{gate_->handle, token_};
  for (const auto& group : groups_)
    tell(group, api::unwatch_configs{me, {}});
  for (const auto& service : watched_services_)
    tell(service, api::unwatch_service{me});
  for (const auto& who : monitored_)
    gate_->demonitor(who);
}

template <class Handle>
void gateway::inbox_impl::remember(std::vector<Handle>& list,
                                   const Handle& watched) {
  if (std::ranges::find(list, watched) != list.end())
    return;
  list.push_back(watched);
  monitored_.push_back(watched.address());
  gate_->monitor(watched.address(),
                 caf::actor_cast<caf::abstract_actor*>(watched));
}

asio::awaitable<result<api::done>>
gateway::inbox_impl::watch(api::config_group_actor group,
                           std::vector<std::string> data_ids) {
  if (group)
    remember(groups_, group);
  api::watch_configs message{{gate_->handle, token_}, std::move(data_ids)};
  co_return co_await ask(std::move(group), std::move(message));
}

asio::awaitable<result<naming::service_view_ptr>>
gateway::inbox_impl::watch(api::service_actor service) {
  if (service)
    remember(watched_services_, service);
  api::watch_service message{{gate_->handle, token_}};
  co_return co_await ask(std::move(service), std::move(message));
}

asio::awaitable<void> gateway::inbox_impl::wait(steady_time until) {
  // Callers wait in loops: at the end of the process these must not starve
  // the thread.
  if (gate_->closed)
    co_await asio::post(gate_->io, asio::use_awaitable);
  while (!has_news()) {
    const auto now = gate_->time.steady();
    if (now >= until)
      break;
    timer_.expires_after(until - now);
    boost::system::error_code ignored; // cancelled = there is news
    co_await timer_.async_wait(
        asio::redirect_error(asio::use_awaitable, ignored));
  }
  woken_ = false;
}

asio::awaitable<void> gateway::inbox_impl::wait(steady_time until,
                                                http::client_link& client) {
  if (client.gone())
    co_return;
  client.on_gone([this] { wake(); });
  co_await wait(until);
  client.on_gone({});
}

// -- the public side
// -----------------------------------------------------------

gateway::gateway(asio::io_context& io, caf::actor_system& system,
                 const clock& time, settings s, loop* runner)
    : impl_(std::make_shared<impl>(io, system, time, s, runner)) {
  MUSTER_INVARIANT(s.asks_max < (std::size_t{1} << slot_bits),
                   "asks fit the request id's slot");
}

gateway::gateway(asio::io_context& io, caf::actor_system& system,
                 const clock& time)
    : gateway(io, system, time, settings{}) {
  // nop
}

gateway::~gateway() {
  leave_thread();
  impl_->closed = true;
  // 0.17.6 declares disconnect() but its library does not have it.
  impl_->companion().on_enqueue(nullptr);
  impl_->companion().cleanup(caf::exit_reason::user_shutdown, nullptr);
  // Coroutines that still wait are destroyed with their io_context.
  impl_->slots.clear();
  impl_->sweeper.cancel();
}

gateway& gateway::here() {
  MUSTER_INVARIANT(current != nullptr, "ask() on a thread without a gateway");
  return *current;
}

void gateway::enter_thread() {
  current = this;
}

void gateway::leave_thread() {
  if (current == this)
    current = nullptr;
}

asio::io_context& gateway::io() noexcept {
  return impl_->io;
}

const clock& gateway::time() const noexcept {
  return impl_->time;
}

steady_time gateway::default_deadline() const {
  return impl_->time.steady() + impl_->conf.default_timeout;
}

caf::actor gateway::handle() const {
  return impl_->handle;
}

std::size_t gateway::open_asks() const noexcept {
  return impl_->open;
}

std::size_t gateway::open_inboxes() const noexcept {
  return impl_->inboxes.size();
}

std::unique_ptr<gateway::inbox> gateway::open_inbox() {
  return std::make_unique<inbox_impl>(impl_, impl_->next_token++);
}

void gateway::close() {
  impl_->closed = true;
  impl_->fail_all({errc::unavailable, "this node is shutting down"});
  for (const auto& [token, box] : impl_->inboxes)
    box->wake();
}

std::optional<caf::message_id> gateway::enter(std::unique_ptr<pending_ask> ask,
                                              steady_time deadline) {
  return impl_->enter(std::move(ask), deadline);
}

void gateway::fail_later(std::unique_ptr<pending_ask> ask, error why) {
  impl_->fail_later(std::move(ask), std::move(why));
}

const caf::strong_actor_ptr& gateway::self() const noexcept {
  return impl_->self;
}

} // namespace muster::common
