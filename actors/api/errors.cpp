#include "actors/api/errors.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace muster::api {

namespace {

constexpr auto category = caf::atom("muster");

} // namespace

caf::error to_caf(const error& e) {
  return caf::error{static_cast<std::uint8_t>(e.code), category,
                    caf::make_message(e.message)};
}

bool is_ours(const caf::error& e) { return e.category() == category; }

error from_caf(const caf::error& e) {
  if (is_ours(e)) {
    auto text = e.context().match_elements<std::string>()
                  ? e.context().get_as<std::string>(0)
                  : std::string{};
    return {static_cast<errc>(e.code()), std::move(text)};
  }
  if (e == caf::sec::request_timeout)
    return {errc::deadline_exceeded, "no answer in time"};
  if (e == caf::sec::request_receiver_down
      || e.category() == caf::atom("exit"))
    return {errc::unavailable, "the actor that was asked is restarting"};
  if (e == caf::sec::cannot_connect_to_node)
    return {errc::unavailable, "nobody takes connections there"};
  return {errc::internal, "unexpected actor error " + caf::to_string(e)};
}

error write_error(const caf::error& e) {
  auto out = from_caf(e);
  if (!is_ours(e))
    out.code = errc::unknown;
  return out;
}

} // namespace muster::api
