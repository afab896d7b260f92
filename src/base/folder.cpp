#include "base/folder.h"

#include "base/fail.h"

namespace valuelens {

void make_folder(const std::filesystem::path & folder) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem) {
        fail(ErrorKind::bad_input, "{}: the folder cannot be made ({})", folder.string(), problem.message());
    }
}

} // namespace valuelens
