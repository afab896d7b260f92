"""One sentence in each language that the benchmark asks for, with languages that are easily taken for one another."""

LANGUAGES = {
    "ar": "يذهب الصيادون إلى البحر كل صباح ويعودون في المساء ومعهم السمك الطازج.",
    "bg": "Рибарите излизат в морето всяка сутрин и се връщат вечер с прясна риба за всички.",
    "bn": "জেলেরা প্রতিদিন সকালে সমুদ্রে যায় এবং সন্ধ্যায় তাজা মাছ নিয়ে ফিরে আসে।",
    "de": "Die Fischer fahren jeden Morgen auf das Meer und kommen abends mit frischem Fisch zurück.",
    "en": "The fishermen go out to sea every morning and come back in the evening with fresh fish.",
    "es": "Los pescadores salen al mar todas las mañanas y vuelven por la noche con pescado fresco.",
    "fa": "ماهیگیران هر روز صبح به دریا می‌روند و شب با ماهی تازه به خانه برمی‌گردند.",
    "fi": "Kalastajat lähtevät joka aamu merelle ja palaavat illalla kotiin tuoreen kalan kanssa.",
    "fr": "Les pêcheurs partent en mer tous les matins et reviennent le soir avec du poisson frais.",
    "gu": "માછીમારો દરરોજ સવારે દરિયામાં જાય છે અને સાંજે તાજી માછલી લઈને પાછા આવે છે.",
    "he": "הדייגים יוצאים לים בכל בוקר וחוזרים בערב עם דגים טריים לכולם.",
    "hi": "मछुआरे हर सुबह समुद्र में जाते हैं और शाम को ताज़ी मछली लेकर लौटते हैं।",
    "it": "I pescatori escono in mare ogni mattina e tornano la sera con il pesce fresco.",
    "ja": "漁師たちは毎朝海に出て、夕方に新鮮な魚を持って帰ってきます。",
    "kn": "ಮೀನುಗಾರರು ಪ್ರತಿದಿನ ಬೆಳಿಗ್ಗೆ ಸಮುದ್ರಕ್ಕೆ ಹೋಗುತ್ತಾರೆ ಮತ್ತು ಸಂಜೆ ತಾಜಾ ಮೀನಿನೊಂದಿಗೆ ಹಿಂತಿರುಗುತ್ತಾರೆ.",
    "ko": "어부들은 매일 아침 바다에 나가서 저녁에 신선한 생선을 가지고 돌아옵니다.",
    "ml": "മത്സ്യത്തൊഴിലാളികൾ എല്ലാ ദിവസവും രാവിലെ കടലിൽ പോയി വൈകുന്നേരം മീനുമായി മടങ്ങുന്നു.",
    "mr": "मच्छीमार दररोज सकाळी समुद्रात जातात आणि संध्याकाळी ताजे मासे घेऊन परत येतात.",
    "ne": "माझीहरू हरेक बिहान समुद्रमा जान्छन् र साँझ ताजा माछा लिएर फर्कन्छन्।",
    "pa": "ਮਛੇਰੇ ਹਰ ਸਵੇਰ ਸਮੁੰਦਰ ਵਿੱਚ ਜਾਂਦੇ ਹਨ ਅਤੇ ਸ਼ਾਮ ਨੂੰ ਤਾਜ਼ੀ ਮੱਛੀ ਲੈ ਕੇ ਵਾਪਸ ਆਉਂਦੇ ਹਨ।",
    "pl": "Rybacy wypływają w morze każdego ranka i wracają wieczorem ze świeżymi rybami.",
    "pt": "Os pescadores saem para o mar todas as manhãs e voltam à noite com peixe fresco.",
    "ru": "Рыбаки выходят в море каждое утро и возвращаются вечером со свежей рыбой для всех.",
    "sw": "Wavuvi huenda baharini kila asubuhi na hurudi jioni wakiwa na samaki wabichi.",
    "ta": "மீனவர்கள் தினமும் காலையில் கடலுக்குச் சென்று மாலையில் மீனுடன் திரும்புகிறார்கள்.",
    "te": "మత్స్యకారులు ప్రతిరోజూ ఉదయం సముద్రానికి వెళ్లి సాయంత్రం తాజా చేపలతో తిరిగి వస్తారు.",
    "th": "ชาวประมงออกทะเลทุกเช้าและกลับมาในตอนเย็นพร้อมกับปลาสด",
    "uk": "Рибалки виходять у море щоранку і повертаються ввечері зі свіжою рибою для всіх.",
    "ur": "ماہی گیر ہر صبح سمندر میں جاتے ہیں اور شام کو تازہ مچھلی لے کر واپس آتے ہیں۔",
    "vi": "Ngư dân ra khơi mỗi buổi sáng và trở về vào buổi tối với cá tươi.",
}
# Languages that are easily taken for one another.
NEIGHBOURS = {"bg": "ru", "ru": "uk", "uk": "bg", "hi": "mr", "mr": "ne", "ne": "hi", "ar": "fa", "fa": "ur",
              "ur": "ar", "es": "pt", "pt": "it", "it": "es", "ja": "ko", "en": "de", "de": "en", "sw": "fi", "vi": "fr"}
LANGUAGE = [("language:response_language", [{"language": language}],
             {"own": text} | {each: LANGUAGES[each] for each in [NEIGHBOURS.get(language)] if each})
            for language, text in LANGUAGES.items()]
LANGUAGE.append(
    ("language:response_language", [{"language": "de"}], {"no letters": "1 + 1 = 2", "two words": "Guten Tag"}))
