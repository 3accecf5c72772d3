// The one main() of all doctest programs.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// What LeakSanitizer need not tell: a connection that CAF 0.17's middleman has
// just made while its system stops is not freed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:caf::io::network::default_multiplexer::new_scribe\n"
         "leak:muster::runtime::make_tls_scribe\n"
         "leak:muster::runtime::tls_session::to\n";
}
