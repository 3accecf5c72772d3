// musterctl
#include "tools/musterctl/commands.hpp"

int main(int argc, char** argv) {
  return muster::ctl::run(argc, argv);
}
