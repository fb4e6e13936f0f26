-- The demo's shop: 200,000 rows, made by the server itself in one transaction, the same on every machine.
CREATE TYPE tier AS ENUM ('basic', 'silver', 'gold');
CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'returned');

CREATE TABLE customers (
    id          bigint PRIMARY KEY,
    public_id   uuid NOT NULL,
    email       text NOT NULL,
    name        varchar(100),
    tier        tier NOT NULL DEFAULT 'basic',
    tags        text[],
    preferences jsonb NOT NULL,
    balance     numeric(12,2),
    created_at  timestamptz NOT NULL,
    birthday    date
);

CREATE TABLE products (
    id          integer PRIMARY KEY,
    sku         text NOT NULL,
    price       numeric(10,2) NOT NULL,
    weight      double precision,
    sizes       integer[],
    active      boolean NOT NULL,
    image       bytea,
    description text -- long enough to be stored out of line (TOAST)
);

CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status      order_status NOT NULL,
    total       numeric(12,2) NOT NULL,
    discount    numeric,
    placed_at   timestamptz NOT NULL,
    deliver_at  timestamp,
    deliver_in  interval,
    note        text
);

CREATE TABLE order_items (
    order_id   uuid NOT NULL REFERENCES orders,
    line       integer NOT NULL,
    product_id integer NOT NULL REFERENCES products,
    quantity   smallint NOT NULL,
    price      numeric(10,2) NOT NULL,
    options    json,
    PRIMARY KEY (order_id, line)
);

INSERT INTO customers
SELECT i, md5('customer ' || i)::uuid, 'customer' || i || '@example.com', 'Customer ' || i,
       (ARRAY['basic', 'silver', 'gold'])[1 + i % 3]::tier,
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}'::text[] ELSE ARRAY['newsletter', 'tag "' || i % 50 || '"', NULL] END,
       jsonb_build_object('language', (ARRAY['en', 'de', 'fr'])[1 + i % 3], 'visits', i % 97),
       CASE WHEN i % 10 > 0 THEN (i * 37 % 1000000) / 100.0 END,
       timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute 0.123456 seconds',
       CASE WHEN i % 5 > 0 THEN date '1950-01-01' + i % 20000 END
FROM generate_series(1, 20000) i;

INSERT INTO products
SELECT i, 'SKU-' || lpad(i::text, 6, '0'), (100 + i * 7 % 90000) / 100.0, CASE WHEN i % 3 > 0 THEN i / 7.0::float8 END,
       ARRAY[i % 5, i % 7, NULL], i % 11 > 0, decode(md5('image ' || i), 'hex'),
       CASE WHEN i % 2 = 0 THEN (SELECT string_agg(md5(i || ' ' || j), ' ') FROM generate_series(1, 120) j)
            ELSE 'Product ' || i || ': plain and simple – naïve, 简单' END
FROM generate_series(1, 2000) i;

INSERT INTO orders
SELECT md5('order ' || i)::uuid, 1 + i % 20000, (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + i % 4]::order_status,
       (i * 13 % 500000) / 100.0, CASE i % 20 WHEN 0 THEN 'NaN' WHEN 1 THEN 0.000000001 WHEN 2 THEN 12345678901234567890.5 END::numeric,
       timestamptz '2025-01-01 00:00:00+00' + i * interval '7 seconds',
       CASE WHEN i % 3 > 0 THEN timestamp '2025-02-01 12:00:00' + i * interval '7.000001 seconds' END,
       CASE WHEN i % 6 = 0 THEN make_interval(months => i % 13, days => i % 30, secs => i % 1000) END,
       CASE WHEN i % 9 = 0 THEN 'leave at the door #' || i END
FROM generate_series(1, 60000) i;

INSERT INTO order_items
SELECT md5('order ' || 1 + i % 60000)::uuid, 1 + i / 60000, 1 + i * 31 % 2000, 1 + i % 5, (100 + i * 7 % 90000) / 100.0,
       CASE WHEN i % 8 = 0 THEN json_build_object('gift', true, 'wrap', i % 4) END
FROM generate_series(0, 117999) i;

-- Made last, in the same transaction: the shop is there, whole, when this table is.
CREATE TABLE demo_made AS SELECT now() AS at;
