// musterctl tls …
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/musterctl/commands.hpp"
#include "tools/musterctl/tls_files.hpp"

namespace muster::ctl {

namespace {

result<std::string> init(const tls_request& wanted) {
  auto made = make_tls_files(wanted, system_clock().wall());
  if (!made)
    return made;
  const auto in = wanted.directory.string();
  const auto& node = wanted.nodes.front();
  return *made
         + "A node needs three of the files; ca.key is for none of them. For "
         + node + ":\n  --cluster.tls.ca=" + in + "/ca.crt"
         + " --cluster.tls.certificate=" + in + "/" + node + ".crt"
         + " --cluster.tls.key=" + in + "/" + node + ".key\n";
}

} // namespace

void add_tls(CLI::App& app, action& chosen) {
  auto* tls = app.add_subcommand("tls", "Certificates for the nodes' own TLS");
  tls->require_subcommand(1);
  auto* command = tls->add_subcommand(
      "init", "Makes a CA, and a certificate and key for each node; with a CA "
              "that is there already, those of further nodes");
  const auto wanted = std::make_shared<tls_request>();
  command->add_option("--dir", wanted->directory, "Where the files are")
      ->required();
  command
      ->add_option("--node", wanted->nodes,
                   "NAME[,NAME…]: the nodes' hosts, as the list of members "
                   "has them")
      ->required()
      ->delimiter(',');
  command->add_option("--days", wanted->days,
                      "For how long the nodes' certificates hold (825)");
  command->callback(
      [wanted, &chosen] { chosen = [wanted] { return init(*wanted); }; });
}

} // namespace muster::ctl
