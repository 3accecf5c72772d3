#include <doctest/doctest.h>

#include <unistd.h>

#include "actors/node/settings/member_list.hpp"
#include "tests/unit/settings/load_helper.hpp"
#include "tests/unit/settings/temp_file.hpp"

using namespace muster;
using test::load;
using test::temp_file;

TEST_CASE("member list: what operators write") {
  const auto list =
      parse_member_list("10.0.0.1:8848, 10.0.0.2\t10.0.0.3:1?raft_port=7\n"
                        "# a comment\n"
                        "Node-4.example:9000 # behind an entry\r\n"
                        "\n"
                        "[fd00::5]:8850,fd00::6,[fd00::7]\n");
  REQUIRE_MESSAGE(list, list.error().message);
  const std::vector<member_address> wanted{
      {"10.0.0.1", 8848},       {"10.0.0.2", 8848}, {"10.0.0.3", 1},
      {"node-4.example", 9000}, {"fd00::5", 8850},  {"fd00::6", 8848},
      {"fd00::7", 8848}};
  CHECK(*list == wanted);
  CHECK(parse_member_list(" \n#\n,,")->empty());
}

TEST_CASE("member list: what is none is named") {
  for (const char* entry : {"host:0", "host:65536", "host:", ":80", "ho st:1x",
                            "[::1", "[::1]x", "a/b", "host:8848x", "[::1]:"}) {
    CAPTURE(entry);
    const auto list = parse_member_list(std::string("a:1,") + entry);
    REQUIRE_FALSE(list);
    CHECK(list.error().code == errc::invalid_argument);
    CHECK(list.error().message.starts_with("'"));
  }
  const auto twice = parse_member_list("a:8848,b,a");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message == "'a' is there twice");
}

TEST_CASE("members: a flag, else the file, else none") {
  const temp_file file(".conf", "127.0.0.1:1 # one\n127.0.0.1:2\n");
  const auto from = [](const std::vector<std::string>& arguments) {
    auto loaded = load(arguments);
    REQUIRE_MESSAGE(loaded, loaded.error().message);
    auto found = configured_members(loaded->values);
    REQUIRE(found);
    return *found;
  };
  const std::string bind = "--bind=127.0.0.1";
  const auto conf = "--cluster.conf=" + file.path();
  CHECK_FALSE(from({}));
  CHECK_FALSE(from({bind, "--cluster.conf=/nowhere/cluster.conf"}));
  CHECK(from({bind, conf})->size() == 2);
  CHECK(from({bind, conf, "--members", "127.0.0.1:3"})->front().port == 3);
  CHECK(from({bind, "-c", "127.0.0.1:4"})->front().port == 4);
  CHECK_FALSE(from({bind, conf, "-m", "standalone"}));
  CHECK(from({bind, conf, "-m", "cluster"})->size() == 2);
}

TEST_CASE("members: a wrong list is refused with its place") {
  const auto loaded = load({"--bind=127.0.0.1", "--members", "a:b:c/"});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.find("member.list") != std::string::npos);
  const temp_file file(".conf", "a:99999\n");
  const auto from_file =
      load({"--bind=127.0.0.1", "--cluster.conf=" + file.path()});
  REQUIRE_FALSE(from_file);
  CHECK(from_file.error().message.find(file.path()) != std::string::npos);
}

TEST_CASE("members: other hosts are not talked to without TLS unasked") {
  const std::vector<std::string> open{"--members", "10.9.9.9:8848"};
  const auto refused = load(open);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("cluster.plaintext") != std::string::npos);
  auto asked = open;
  asked.emplace_back("--cluster.plaintext=true");
  CHECK(load(asked));
  CHECK(load({"--bind=127.0.0.1", "--members", "10.9.9.9:8848"}));
}

TEST_CASE("members: with TLS any address will do; its files come together") {
  const std::vector<std::string> open{"--members", "10.9.9.9:8848"};
  const std::vector<std::string> files{"--cluster.tls.ca=ca.crt",
                                       "--cluster.tls.certificate=n.crt",
                                       "--cluster.tls.key=n.key"};
  auto all = open;
  all.insert(all.end(), files.begin(), files.end());
  const auto loaded = load(all);
  REQUIRE(loaded);
  CHECK(loaded->values.cluster.has_tls());
  CHECK(loaded->values.cluster.tls_certificate == "n.crt");
  CHECK(loaded->warnings.empty());
  all.emplace_back("--cluster.plaintext=true");
  CHECK_FALSE(load(all));
  for (std::size_t missing = 0; missing < files.size(); ++missing) {
    auto some = files;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(missing));
    const auto refused = load(some);
    REQUIRE_FALSE(refused);
    const auto name = files[missing].substr(2, files[missing].find('=') - 2);
    CHECK(refused.error().message.find(name + ": is missing")
          != std::string::npos);
  }
}

TEST_CASE("members: a node finds itself in the list") {
  settings s;
  s.server.address = "127.0.0.1";
  s.server.port = 8850;
  const std::vector<member_address> list{
      {"127.0.0.1", 8848}, {"127.0.0.1", 8850}, {"10.255.255.1", 8850}};
  REQUIRE(own_member(list, s));
  CHECK(*own_member(list, s) == list[1]);
  // Listening on all addresses, any of this host's is its own.
  s.server.address = "0.0.0.0";
  CHECK(*own_member(list, s) == list[1]);
  s.server.ip = "10.255.255.1";
  CHECK(*own_member(list, s) == list[2]);
  s.server.port = 8851;
  const auto none = own_member(list, s);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == errc::failed_precondition);
  s.server.port = 8850;
  s.server.ip.clear();
  const auto twice = own_member(
      {{"127.0.0.1", 8850}, {"127.0.0.2", 8850}, {"localhost", 8850}}, s);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message.find("more than one") != std::string::npos);
}

TEST_CASE("members: an address server is asked when a setting says so") {
  const auto plain = load({});
  REQUIRE(plain);
  CHECK_FALSE(asks_address_server(plain->values));
  CHECK(plain->values.cluster.address_server_port == 8080);
  CHECK(plain->values.cluster.address_server_url == "/nacos/serverlist");
  CHECK(plain->values.cluster.address_server_tries == 5);
  const std::string bind = "--bind=127.0.0.1";
  for (const std::string name :
       {"nacos.core.member.lookup.type", "cluster.member.lookup.type",
        "muster.core.member.lookup.type"}) {
    CAPTURE(name);
    const auto loaded =
        load({bind, "--members=127.0.0.1:1", "--" + name + "=address-server"},
             {{"address_server_domain", "Lists.example"},
              {"address_server_port", "81"},
              {"address_server_url", "/a/b"}});
    REQUIRE_MESSAGE(loaded, loaded.error().message);
    const auto& values = loaded->values;
    CHECK(loaded->warnings.empty());
    CHECK(asks_address_server(values));
    CHECK_FALSE(configured_members(values)->has_value());
    CHECK(values.cluster.address_server_domain == "lists.example");
    CHECK(values.cluster.address_server_port == 81);
    CHECK(values.cluster.address_server_url == "/a/b");
  }
  const auto alone = load(
      {bind, "--members=127.0.0.1:1", "--core.member.lookup.type=standalone"});
  REQUIRE(alone);
  CHECK_FALSE(asks_address_server(alone->values));
  CHECK_FALSE(configured_members(alone->values)->has_value());
  const auto flag = load(
      {bind, "-m", "standalone", "--core.member.lookup.type=address-server"});
  REQUIRE(flag);
  CHECK_FALSE(asks_address_server(flag->values));
}

TEST_CASE("members: what an address server is called is checked at the start") {
  const std::string type = "--core.member.lookup.type=address-server";
  for (const char* wrong :
       {"--address.server.domain=a/b", "--address.server.domain=a b",
        "--address.server.port=0", "--address.server.url=/a b",
        "--core.address-server.retry=0", "--core.member.lookup.type=dns"}) {
    CAPTURE(wrong);
    const auto refused = load({"--bind=127.0.0.1", type, wrong});
    REQUIRE_FALSE(refused);
  }
  // Whoever is in that list will be talked to.
  const auto open = load({type});
  REQUIRE_FALSE(open);
  CHECK(open.error().message.find("cluster.plaintext") != std::string::npos);
}
