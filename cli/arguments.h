#pragma once

#include <string>
#include <vector>

namespace valuelens {

/// The arguments after the program's name. llama.cpp's options of several letters after one dash (-ngl, -np) become
/// their long forms: CLI11 would read them as -n -g -l.
std::vector<std::string> normal_arguments(int argc, char ** argv);

} // namespace valuelens
