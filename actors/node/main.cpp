// musterd
#include "actors/node/run.hpp"

int main(int argc, char** argv) { return muster::run(argc, argv); }
