CREATE TABLE site (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    lat DOUBLE,
    lon DOUBLE,
    uplink TEXT,
    feeder TEXT,
    link TEXT NOT NULL,
    district TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    CONSTRAINT pk_site PRIMARY KEY (id),
    CONSTRAINT ck_site_id CHECK (id NOT GLOB '*[^a-z0-9-]*' AND length(id) BETWEEN 1 AND 64),
    CONSTRAINT ck_site_name CHECK (length(name) <= 64),
    CONSTRAINT ck_site_lat CHECK (lat BETWEEN -90 AND 90),
    CONSTRAINT ck_site_lon CHECK (lon BETWEEN -180 AND 180),
    CONSTRAINT ck_site_uplink CHECK (uplink NOT GLOB '*[^a-z0-9-]*' AND length(uplink) BETWEEN 1 AND 64),
    CONSTRAINT ck_site_feeder CHECK (feeder NOT GLOB '*[^a-z0-9-]*' AND length(feeder) BETWEEN 1 AND 64),
    CONSTRAINT ck_site_link CHECK (link IN ('wired', 'cellular')),
    CONSTRAINT ck_site_district CHECK (district NOT GLOB '*[^a-z0-9-]*' AND length(district) BETWEEN 1 AND 64)
);

CREATE TABLE certificate (
    serial TEXT NOT NULL,
    subject TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    chain TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    issued_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    role TEXT NOT NULL,
    CONSTRAINT pk_certificate PRIMARY KEY (serial),
    CONSTRAINT ck_certificate_serial CHECK (serial NOT GLOB '*[^0-9a-f]*' AND length(serial) BETWEEN 1 AND 40),
    CONSTRAINT ck_certificate_fingerprint CHECK (fingerprint NOT GLOB '*[^A-Z2-7]*' AND length(fingerprint) BETWEEN 26 AND 26),
    CONSTRAINT ck_certificate_role CHECK (role IN ('device', 'service'))
);

CREATE INDEX ix_certificate_fingerprint ON certificate (fingerprint);

CREATE INDEX ix_certificate_subject_from_ms ON certificate (subject, from_ms);

CREATE TABLE person (
    login TEXT NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    role TEXT NOT NULL,
    district TEXT,
    language TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (login),
    CONSTRAINT ck_person_login CHECK (login NOT GLOB '*[^a-z0-9._-]*' AND length(login) BETWEEN 2 AND 32),
    CONSTRAINT ck_person_name CHECK (length(name) <= 64),
    CONSTRAINT ck_person_phone CHECK (length(phone) <= 32),
    CONSTRAINT ck_person_role CHECK (role IN ('technician', 'operator', 'admin')),
    CONSTRAINT ck_person_district CHECK (district NOT GLOB '*[^a-z0-9-]*' AND length(district) BETWEEN 1 AND 64),
    CONSTRAINT ck_person_language CHECK (language IN ('id', 'en'))
);

CREATE TABLE contact (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    language TEXT NOT NULL,
    district TEXT,
    changed_ms BIGINT NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (id),
    CONSTRAINT ck_contact_name CHECK (length(name) <= 64),
    CONSTRAINT ck_contact_channel CHECK (channel IN ('whatsapp', 'sms', 'email', 'telegram', 'webhook')),
    CONSTRAINT ck_contact_address CHECK (length(address) <= 200),
    CONSTRAINT ck_contact_language CHECK (language IN ('id', 'en')),
    CONSTRAINT ck_contact_district CHECK (district NOT GLOB '*[^a-z0-9-]*' AND length(district) BETWEEN 1 AND 64)
);

CREATE TABLE request (
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    digest TEXT NOT NULL,
    answer JSON NOT NULL,
    done_ms BIGINT NOT NULL,
    CONSTRAINT pk_request PRIMARY KEY (id),
    CONSTRAINT ck_request_id CHECK (id NOT GLOB '*[^0-9a-f-]*' AND length(id) BETWEEN 36 AND 36)
);

CREATE INDEX ix_request_done_ms ON request (done_ms);

CREATE TABLE audit (
    number BIGINT NOT NULL,
    time_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (number),
    CONSTRAINT ck_audit_hash CHECK (hash NOT GLOB '*[^0-9a-f]*' AND length(hash) BETWEEN 64 AND 64),
    CONSTRAINT ck_audit_previous CHECK (previous NOT GLOB '*[^0-9a-f]*' AND length(previous) BETWEEN 64 AND 64)
);

CREATE INDEX ix_audit_subject_number ON audit (subject, number);

CREATE INDEX ix_audit_actor_time_ms ON audit (actor, time_ms);

CREATE TABLE device (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    serial TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    state_by TEXT NOT NULL,
    state_ms BIGINT NOT NULL,
    before_quarantine TEXT,
    placed_by TEXT,
    placed_ms BIGINT,
    preapproved BOOLEAN NOT NULL,
    site TEXT,
    lat DOUBLE,
    lon DOUBLE,
    note TEXT NOT NULL,
    hw TEXT NOT NULL,
    fw TEXT NOT NULL,
    replaces TEXT,
    config_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    CONSTRAINT pk_device PRIMARY KEY (id),
    CONSTRAINT ck_device_id CHECK (id NOT GLOB '*[^a-z0-9-]*' AND length(id) BETWEEN 3 AND 32),
    CONSTRAINT ck_device_kind CHECK (kind NOT GLOB '*[^a-z0-9-]*' AND length(kind) BETWEEN 1 AND 64),
    CONSTRAINT ck_device_model CHECK (length(model) <= 64),
    CONSTRAINT ck_device_serial CHECK (length(serial) <= 64),
    CONSTRAINT ck_device_fingerprint CHECK (fingerprint NOT GLOB '*[^A-Z2-7]*' AND length(fingerprint) BETWEEN 26 AND 26),
    CONSTRAINT ck_device_state CHECK (state IN ('new', 'pending', 'approved', 'active', 'installed', 'quarantined', 'revoked', 'retired')),
    CONSTRAINT ck_device_lat CHECK (lat BETWEEN -90 AND 90),
    CONSTRAINT ck_device_lon CHECK (lon BETWEEN -180 AND 180),
    CONSTRAINT ck_device_note CHECK (length(note) <= 500),
    CONSTRAINT ck_device_hw CHECK (length(hw) <= 128),
    CONSTRAINT ck_device_fw CHECK (length(fw) <= 64),
    CONSTRAINT uq_device_fingerprint UNIQUE (fingerprint),
    CONSTRAINT fk_device_site FOREIGN KEY(site) REFERENCES site (id),
    CONSTRAINT fk_device_replaces FOREIGN KEY(replaces) REFERENCES device (id)
);

CREATE INDEX ix_device_site ON device (site);

CREATE INDEX ix_device_state ON device (state);

CREATE TABLE login_session (
    id_hash TEXT NOT NULL,
    person TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    CONSTRAINT pk_login_session PRIMARY KEY (id_hash),
    CONSTRAINT ck_login_session_id_hash CHECK (id_hash NOT GLOB '*[^0-9a-f]*' AND length(id_hash) BETWEEN 64 AND 64),
    CONSTRAINT fk_login_session_person FOREIGN KEY(person) REFERENCES person (login)
);

CREATE INDEX ix_login_session_person_ended_ms ON login_session (person, ended_ms);

CREATE TABLE shift (
    id INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    weekdays TEXT NOT NULL,
    from_minute BIGINT NOT NULL,
    to_minute BIGINT NOT NULL,
    CONSTRAINT pk_shift PRIMARY KEY (id),
    CONSTRAINT ck_shift_weekdays CHECK (weekdays NOT GLOB '*[^1-7]*' AND length(weekdays) BETWEEN 1 AND 7),
    CONSTRAINT ck_shift_from_minute CHECK (from_minute BETWEEN 0 AND 1439),
    CONSTRAINT ck_shift_to_minute CHECK (to_minute BETWEEN 1 AND 1440),
    CONSTRAINT fk_shift_contact FOREIGN KEY(contact) REFERENCES contact (id) ON DELETE CASCADE
);

CREATE TABLE place (
    id INTEGER NOT NULL,
    device TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    site TEXT NOT NULL,
    lat DOUBLE,
    lon DOUBLE,
    uplink TEXT,
    feeder TEXT,
    link TEXT NOT NULL,
    kind TEXT NOT NULL,
    sources JSON NOT NULL,
    life TEXT NOT NULL,
    "by" TEXT NOT NULL,
    CONSTRAINT pk_place PRIMARY KEY (id),
    CONSTRAINT uq_place_device_from_ms UNIQUE (device, from_ms),
    CONSTRAINT ck_place_life CHECK (life IN ('approved', 'installed', 'maintenance', 'quarantined', 'revoked', 'retired')),
    CONSTRAINT ck_place_link CHECK (link IN ('wired', 'cellular')),
    CONSTRAINT fk_place_device FOREIGN KEY(device) REFERENCES device (id),
    CONSTRAINT fk_place_site FOREIGN KEY(site) REFERENCES site (id)
);

CREATE INDEX ix_place_site ON place (site);

CREATE TABLE source (
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    driver TEXT NOT NULL,
    settings JSON NOT NULL,
    secrets TEXT,
    changed_ms BIGINT NOT NULL,
    CONSTRAINT pk_source PRIMARY KEY (device, name),
    CONSTRAINT ck_source_name CHECK (name NOT GLOB '*[^a-z0-9-]*' AND length(name) BETWEEN 1 AND 32),
    CONSTRAINT ck_source_driver CHECK (length(driver) <= 64),
    CONSTRAINT fk_source_device FOREIGN KEY(device) REFERENCES device (id)
);

CREATE TABLE maintenance (
    id INTEGER NOT NULL,
    device TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT,
    until_ms BIGINT NOT NULL,
    "by" TEXT NOT NULL,
    visit TEXT,
    why TEXT NOT NULL,
    CONSTRAINT pk_maintenance PRIMARY KEY (id),
    CONSTRAINT ck_maintenance_why CHECK (length(why) <= 200),
    CONSTRAINT fk_maintenance_device FOREIGN KEY(device) REFERENCES device (id)
);

CREATE INDEX ix_maintenance_device_to_ms ON maintenance (device, to_ms);

CREATE TABLE visit (
    id TEXT NOT NULL,
    device TEXT NOT NULL,
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    site TEXT,
    lat DOUBLE,
    lon DOUBLE,
    accuracy_m DOUBLE,
    steps JSON NOT NULL,
    started_ms BIGINT NOT NULL,
    finished_ms BIGINT,
    result TEXT,
    reason TEXT NOT NULL,
    year BIGINT,
    ordinal BIGINT,
    CONSTRAINT pk_visit PRIMARY KEY (id),
    CONSTRAINT ck_visit_id CHECK (id NOT GLOB '*[^0-9a-f-]*' AND length(id) BETWEEN 36 AND 36),
    CONSTRAINT ck_visit_kind CHECK (kind IN ('install', 'replace', 'move', 'retire', 'check')),
    CONSTRAINT ck_visit_lat CHECK (lat BETWEEN -90 AND 90),
    CONSTRAINT ck_visit_lon CHECK (lon BETWEEN -180 AND 180),
    CONSTRAINT ck_visit_result CHECK (result IN ('green', 'amber', 'red', 'left')),
    CONSTRAINT ck_visit_reason CHECK (length(reason) <= 500),
    CONSTRAINT uq_visit_year_ordinal UNIQUE (year, ordinal),
    CONSTRAINT fk_visit_device FOREIGN KEY(device) REFERENCES device (id),
    CONSTRAINT fk_visit_person FOREIGN KEY(person) REFERENCES person (login),
    CONSTRAINT fk_visit_site FOREIGN KEY(site) REFERENCES site (id)
);

CREATE INDEX ix_visit_device_started_ms ON visit (device, started_ms);

CREATE INDEX ix_visit_person_started_ms ON visit (person, started_ms);

CREATE TABLE task (
    id INTEGER NOT NULL,
    device TEXT,
    source TEXT,
    text TEXT NOT NULL,
    note TEXT NOT NULL,
    assignee TEXT,
    state TEXT NOT NULL,
    "by" TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    taken_ms BIGINT,
    done_ms BIGINT,
    incident BIGINT,
    incident_ms BIGINT,
    link TEXT NOT NULL,
    CONSTRAINT pk_task PRIMARY KEY (id),
    CONSTRAINT ck_task_text CHECK (length(text) <= 500),
    CONSTRAINT ck_task_note CHECK (length(note) <= 500),
    CONSTRAINT ck_task_link CHECK (length(link) <= 300),
    CONSTRAINT ck_task_state CHECK (state IN ('open', 'taken', 'done')),
    CONSTRAINT fk_task_device FOREIGN KEY(device) REFERENCES device (id),
    CONSTRAINT fk_task_assignee FOREIGN KEY(assignee) REFERENCES person (login)
);

CREATE INDEX ix_task_device_state ON task (device, state);

CREATE INDEX ix_task_assignee_state ON task (assignee, state);

CREATE INDEX ix_task_incident ON task (incident);

CREATE TABLE photo (
    id INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    device TEXT NOT NULL,
    source TEXT,
    visit TEXT,
    taken_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    CONSTRAINT pk_photo PRIMARY KEY (id),
    CONSTRAINT ck_photo_sha256 CHECK (sha256 NOT GLOB '*[^0-9a-f]*' AND length(sha256) BETWEEN 64 AND 64),
    CONSTRAINT ck_photo_kind CHECK (kind IN ('mounted', 'notice', 'thumbnail')),
    CONSTRAINT uq_photo_sha256_visit_kind UNIQUE (sha256, visit, kind),
    CONSTRAINT fk_photo_device FOREIGN KEY(device) REFERENCES device (id),
    CONSTRAINT fk_photo_visit FOREIGN KEY(visit) REFERENCES visit (id)
);

CREATE INDEX ix_photo_device_kind ON photo (device, kind);

CREATE INDEX ix_photo_expires_ms ON photo (expires_ms);

