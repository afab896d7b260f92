#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

/// A new empty folder that is removed with the object.
class TempFolder {
public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "valuelens-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder &) = delete;
    TempFolder & operator=(const TempFolder &) = delete;

    const std::filesystem::path & path() const { return path_; }
    std::filesystem::path operator/(const std::string & name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};
