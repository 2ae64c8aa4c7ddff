Feature: The price that the buyer was shown is the price that is paid

  Background:
    Given stock of "MUG": Receive {quantity: 9}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |

  Scenario Outline: A price that is another one by now stops the checkout, whether it rose or fell
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | prices   | [{sku: MUG, unit_price: <now>}, {sku: POT, unit_price: 20.00 GBP}] |
    Then refused: cart.price_changed {changes: [{sku: MUG, was: 15.00 GBP, now: <now>}]}
    And never order "O1": Placed

    Examples:
      | now       |
      | 15.01 GBP |
      | 12.00 GBP |

  Scenario: A buyer who accepts the new price pays the new price
    When cart "C1": AcceptPrices {prices: [{sku: MUG, unit_price: 16.50 GBP}, {sku: POT, unit_price: 20.00 GBP}]}
    Then PricesAccepted {changes: [{sku: MUG, was: 15.00 GBP, now: 16.50 GBP}]}
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | prices   | [{sku: MUG, unit_price: 16.50 GBP}, {sku: POT, unit_price: 20.00 GBP}] |
    Then CheckedOut {total: 53.00 GBP, ..}
    And the cart "C1" reads {status: checked_out, total: 53.00 GBP, ..}

  Scenario: Accepting the prices that the cart holds is nothing to remember
    When cart "C1": AcceptPrices {prices: [{sku: MUG, unit_price: 15.00 GBP}]}
    Then nothing happens

  Scenario: What is not in the cart may cost whatever it likes
    When cart "C1": AcceptPrices {prices: [{sku: TRAY, unit_price: 99.00 EUR}]}
    Then nothing happens

  Scenario: A buyer cannot accept a price in another currency
    When cart "C1": AcceptPrices {prices: [{sku: MUG, unit_price: 15.00 EUR}]}
    Then refused: cart.currency_mismatch {cart: GBP, price: EUR}

  Scenario: A buyer cannot accept to be paid for taking something
    When cart "C1": AcceptPrices {prices: [{sku: MUG, unit_price: -1.00 GBP}]}
    Then refused: cart.bad_total

  Scenario: A line whose SKU has left the catalogue is sold at the price it was shown with
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | prices   | [{sku: MUG, unit_price: 15.00 GBP}]        |
    Then CheckedOut {total: 50.00 GBP, ..}

  Scenario: A new price in the catalogue leaves carts alone until their buyers accept it
    Given product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}]}
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then PriceChanged {sku: MUG, old: 15.00 GBP, new: 12.00 GBP}
    And never cart "C1": PricesAccepted
    And the cart "C1" reads {total: 50.00 GBP, ..}

  Scenario: Tax and shipping that come on top are part of what the buyer pays
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | quote    | {prices_include_tax: false, lines: [{rate_ppm: 200000, tax: 6.00 GBP}, {rate_ppm: 200000, tax: 4.00 GBP}], shipping: {code: post, title: Royal Mail, price: 3.95 GBP, rate_ppm: 200000, tax: 0.79 GBP}, tax: 10.79 GBP, total: 64.74 GBP} |
    Then CheckedOut {total: 64.74 GBP, ..}
    And the cart "C1" reads {total: 64.74 GBP, ..}

  Scenario: Tax that is in the prices already is not charged again
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | quote    | {prices_include_tax: true, lines: [{rate_ppm: 200000, tax: 5.00 GBP}, {rate_ppm: 200000, tax: 3.33 GBP}], tax: 8.33 GBP, total: 50.00 GBP} |
    Then CheckedOut {total: 50.00 GBP, ..}

  Scenario Outline: A quote that does not add up for just these lines charges nobody
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
      | quote    | {prices_include_tax: true, lines: <lines>, shipping: <shipping>, tax: <tax>, total: <total>} |
    Then refused: cart.bad_quote

    Examples: It is for fewer lines; its tax is not the sum; its total is another; it pays the buyer for the delivery
      | lines                                                                          | shipping                                                                         | tax      | total     |
      | [{rate_ppm: 200000, tax: 8.33 GBP}]                                          | none                                                                             | 8.33 GBP | 50.00 GBP |
      | [{rate_ppm: 200000, tax: 5.00 GBP}, {rate_ppm: 200000, tax: 3.33 GBP}] | none                                                                             | 8.34 GBP | 50.00 GBP |
      | [{rate_ppm: 200000, tax: 5.00 GBP}, {rate_ppm: 200000, tax: 3.33 GBP}] | none                                                                             | 8.33 GBP | 49.99 GBP |
      | [{rate_ppm: 200000, tax: 5.00 GBP}, {rate_ppm: 200000, tax: 3.33 GBP}] | {code: post, title: Post, price: -5.00 GBP, rate_ppm: 0, tax: 0.00 GBP} | 8.33 GBP | 45.00 GBP |

  Scenario: The total that the buyer saw is compared with tax and shipping, not with the goods alone
    When cart "C1": CheckOut
      | order          | O1                                           |
      | payment        | P1                                           |
      | method         | card                                         |
      | delivery       | {contact: Ada, address: London, country: GB} |
      | pay_by         | now + 30 minutes                             |
      | expected_total | 50.00 GBP                                    |
      | quote          | {prices_include_tax: false, lines: [{rate_ppm: 200000, tax: 6.00 GBP}, {rate_ppm: 200000, tax: 4.00 GBP}], tax: 10.00 GBP, total: 60.00 GBP} |
    Then refused: cart.total_changed {total: 60.00 GBP, expected: 50.00 GBP}
