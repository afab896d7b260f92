#include "engine/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/fail.h"

namespace valuelens {

MappedFile::MappedFile(const std::string & path) : size_(std::filesystem::file_size(path)) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    void * data = descriptor < 0 ? MAP_FAILED : ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int error = errno;
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    if (data == MAP_FAILED) {
        fail(ErrorKind::model, "{}: the model file cannot be mapped into memory ({})", path, std::strerror(error));
    }
    data_ = static_cast<const char *>(data);
}

MappedFile::~MappedFile() {
    ::munmap(const_cast<char *>(data_), size_);
}

} // namespace valuelens
