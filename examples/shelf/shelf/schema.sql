-- Everything here may run again on a database that has it already.

CREATE TABLE IF NOT EXISTS books (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    english_title TEXT,             -- what English readers call it, if that differs
    author TEXT NOT NULL,
    born INTEGER,
    died INTEGER,
    year INTEGER NOT NULL,          -- of the first publication
    language TEXT NOT NULL,         -- ISO 639-1
    copies INTEGER NOT NULL CHECK (copies >= 0),
    title_key TEXT NOT NULL,        -- folded text: to sort by, and to search in
    author_key TEXT NOT NULL,
    words TEXT NOT NULL,
    UNIQUE (title_key, author_key, language)
);

CREATE INDEX IF NOT EXISTS books_by_author ON books (author_key, year);
CREATE INDEX IF NOT EXISTS books_by_year ON books (year, title_key);

CREATE TABLE IF NOT EXISTS readers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS loans (
    id INTEGER PRIMARY KEY,
    book_id INTEGER NOT NULL REFERENCES books ON DELETE RESTRICT,
    reader_id INTEGER NOT NULL REFERENCES readers ON DELETE RESTRICT,
    borrowed_on TEXT NOT NULL,      -- ISO 8601 dates, so they compare as text
    due_on TEXT NOT NULL,
    returned_on TEXT
);

-- A reader takes one copy of a book at a time. Also finds the copies that are out.
CREATE UNIQUE INDEX IF NOT EXISTS open_loans ON loans (book_id, reader_id)
    WHERE returned_on IS NULL;
CREATE INDEX IF NOT EXISTS loans_of_reader ON loans (reader_id, returned_on);
CREATE INDEX IF NOT EXISTS loans_of_book ON loans (book_id);
