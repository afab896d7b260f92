#pragma once

#include <cstddef>
#include <string>

namespace valuelens {

/// A file mapped read-only for as long as the object lives.
class MappedFile {
public:
    /// Throws Error(model) where it cannot be mapped.
    explicit MappedFile(const std::string & path);
    ~MappedFile();
    MappedFile(const MappedFile &) = delete;
    MappedFile & operator=(const MappedFile &) = delete;

    const char * data() const { return data_; }

private:
    std::size_t size_ = 0;
    const char * data_ = nullptr;
};

} // namespace valuelens
