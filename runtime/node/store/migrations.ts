/**
 * The schema of the state database, one step a version: `user_version` counts the steps that were made. A step is
 * never changed once it was released; a new one is added.
 */

export const MIGRATIONS: readonly string[] = [
  `
  -- One row is all that \`run\` reads of an image: record is the JSON of an ImageRecord without its tags.
  CREATE TABLE images (
    id TEXT PRIMARY KEY,
    created_ms INTEGER,
    imported_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE tags (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
  ) WITHOUT ROWID;
  CREATE INDEX tags_of_image ON tags (image_id);

  -- Manifests and indexes that an image came with: \`name@digest\` finds it by each.
  CREATE TABLE manifests (
    digest TEXT NOT NULL,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    PRIMARY KEY (digest, image_id)
  ) WITHOUT ROWID;
  CREATE INDEX manifests_of_image ON manifests (image_id);

  -- Layers whose two files are in the store.
  CREATE TABLE layers (
    diff_id TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL
  ) WITHOUT ROWID;

  -- Compressed blobs that were seen to unpack to a layer: a second import need not unpack them again.
  CREATE TABLE layer_blobs (
    digest TEXT NOT NULL,
    diff_id TEXT NOT NULL REFERENCES layers (diff_id) ON DELETE CASCADE,
    compressed_bytes INTEGER NOT NULL,
    PRIMARY KEY (digest, diff_id)
  ) WITHOUT ROWID;
  CREATE INDEX layer_blobs_of_layer ON layer_blobs (diff_id);

  -- No reference to layers: a damaged layer is set aside, and its images stay known until it comes again.
  CREATE TABLE image_layers (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL,
    PRIMARY KEY (image_id, position)
  ) WITHOUT ROWID;
  CREATE INDEX image_layers_of_layer ON image_layers (diff_id);

  -- record is the JSON of a container's record: see containers.ts.
  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT UNIQUE,
    image_id TEXT,
    status TEXT,
    pid INTEGER,
    created_ms INTEGER,
    record TEXT NOT NULL
  );
  CREATE INDEX containers_of_image ON containers (image_id);
  `,
  `
  -- record is the JSON of a VolumeRecord: see volumes.ts. The holder is the container that has it open, in a process.
  CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    holder TEXT,
    holder_pid INTEGER,
    holder_start TEXT
  ) WITHOUT ROWID;
  `,
  `
  -- What containers reserve, in the order in which they asked: see host/user-ledger.ts. Those of a process that has ended don't count.
  CREATE TABLE claims (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    container TEXT NOT NULL UNIQUE,
    pid INTEGER NOT NULL,
    process_start TEXT NOT NULL,
    cpus REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,
    held INTEGER NOT NULL,
    -- Of CPU time: what it has against the others, and would use, as its process said last. NULL: all that it gets.
    shares INTEGER NOT NULL DEFAULT 1024,
    demand_cpus REAL
  );
  `,
];
