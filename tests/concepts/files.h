#pragma once

#include <fstream>
#include <string>

#include "support/temp_folder.h"

/// Files of a test, written as given (bytes, line breaks and all).
class FileFolder : public TempFolder {
public:
    std::filesystem::path write(const std::string & name, const std::string & contents) const {
        const std::filesystem::path file = *this / name;
        std::ofstream(file, std::ios::binary) << contents;
        return file;
    }
};

inline const std::filesystem::path shared_data = std::filesystem::path(VALUELENS_SHARED_DIR) / "data";
