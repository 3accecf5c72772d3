// musterd on a disk that keeps in memory what was not synced: for it a SIGKILL is
// a power loss.
#include "actors/node/run.hpp"
#include "storage/fault/fault_environment.hpp"

int main(int argc, char** argv) {
  return muster::run(
    argc, argv, [] { return muster::storage::make_fault_environment().environment; });
}
