#include "tests/unit/http/fixture.hpp"

#include <stdexcept>

#include "protocols/common/gateway.hpp"

namespace muster::test {

namespace {

using common::context;
using http::method;
using http::response;
using handled = boost::asio::awaitable<response>;

constexpr std::string_view text = "text/plain";

handled fixed(context&) {
  static const auto bytes = std::make_shared<const std::string>(
      http::render(http::reply(200, text, "fixed body")));
  ++what_was_seen().calls;
  co_return http::reply(bytes);
}

handled echo(context& c) {
  ++what_was_seen().calls;
  std::string out;
  for (const auto& [name, value] : c.request.params().all())
    out.append(name).append("=").append(value).append(";");
  if (!c.request.has_form())
    out.append("|").append(c.request.body);
  co_return http::reply(200, text, out);
}

handled item(context& c) {
  co_return http::reply(200, text,
                        std::string(c.request.path_value("id")) + " of "
                            + std::string(c.request.path));
}

handled whoami(context& c) {
  auto r = http::reply(200, text, std::string(c.request.source_ip()));
  r.headers.emplace_back("X-Evil", "a\r\nSet-Cookie: b");
  r.headers.emplace_back("X-Trace",
                         std::to_string(c.request.meta.trace.trace[0]));
  co_return r;
}

/// `size` bytes, made anew.
handled big(context& c) {
  const auto size = std::stoul(std::string(c.request.path_value("size")));
  co_return http::reply(200, text, std::string(size, 'b'));
}

/// Held until the client goes; says what it read of the request after that.
handled hold(context& c) {
  auto& s = what_was_seen();
  ++s.holding;
  auto inbox = common::gateway::here().open_inbox();
  const auto wanted = c.request.params().get("ms", "60000");
  const auto until =
      c.node.time().steady() + milliseconds{std::stol(std::string(wanted))};
  co_await inbox->wait(until, c.client);
  --s.holding;
  if (c.client_gone())
    ++s.gone;
  co_return http::reply(200, text, "held " + std::string(c.request.body));
}

handled boom(context&) {
  throw std::runtime_error("a bug");
  co_return response{};
}

const common::route rows[] = {
    {method::get, "/fixed", {}, common::gate::none, &fixed},
    {method::get, "/echo", {}, common::gate::none, &echo},
    {method::post, "/echo", {}, common::gate::none, &echo, 100'000},
    {method::get, "/items/{id}", {}, common::gate::none, &item},
    {method::get, "/items/first", {}, common::gate::none, &fixed},
    {method::get, "/whoami", {}, common::gate::none, &whoami},
    {method::get, "/big/{size}", {}, common::gate::none, &big},
    {method::get, "/hold", {}, common::gate::none, &hold, 0, true},
    {method::post, "/hold", {}, common::gate::none, &hold, 0, true},
    {method::get, "/boom", {}, common::gate::none, &boom},
    {method::get, "/old", {}, common::gate::console, &fixed},
    {method::get,
     "/guarded",
     {common::scope::open, common::action::read, common::resource::config},
     common::gate::none,
     &fixed},
};

} // namespace

seen& what_was_seen() {
  static seen s;
  return s;
}

std::span<const common::product> products() {
  static const common::product all[] = {{"test", "/app", rows}};
  return all;
}

http::limits quick_limits() {
  http::limits l;
  l.head_timeout = milliseconds{300};
  l.body_timeout = milliseconds{300};
  l.body_total_timeout = milliseconds{1500};
  l.write_timeout = milliseconds{300};
  l.idle_timeout = milliseconds{10'000};
  return l;
}

http::server_settings running_server::quick_settings() {
  http::server_settings s;
  s.port = 0;
  s.limits = quick_limits();
  return s;
}

running_server::running_server(http::server_settings s, std::size_t threads)
    : pool({threads, {}}, node.system(), node.time()) {
  what_was_seen().calls = 0;
  what_was_seen().gone = 0;
  pool.start();
  server = std::make_unique<http::server>(s, node, pool, products(), metrics);
  if (auto ok = server->start(); !ok)
    throw std::runtime_error(ok.error().message);
}

running_server::~running_server() {
  server->stop();
  pool.stop();
}

} // namespace muster::test
