-- A small shop to try Syncline on. Run it in an empty database, as the user that shall own the tables.
CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped');

CREATE TABLE customers (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text NOT NULL,
    email text,
    tags  text[]
);

CREATE TABLE orders (
    id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer bigint NOT NULL REFERENCES customers,
    status   order_status NOT NULL DEFAULT 'new',
    total    numeric(12, 2) NOT NULL,
    details  jsonb,
    placed   timestamptz NOT NULL DEFAULT now()
);

INSERT INTO customers (name, email, tags)
SELECT 'Customer ' || i, 'customer' || i || '@example.com', ARRAY['newsletter'] FROM generate_series(1, 1000) i;

INSERT INTO orders (customer, total, details)
SELECT 1 + i % 1000, i * 1.1, jsonb_build_object('gift', i % 7 = 0) FROM generate_series(1, 10000) i;
